"""The pages as an application of their own: routes, errors as pages, and headers that keep other people's content and sites out."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.status import HTTP_404_NOT_FOUND, HTTP_422_UNPROCESSABLE_CONTENT, HTTP_503_SERVICE_UNAVAILABLE

from gateway.pages import attention, entrance, overview, services, subjects
from gateway.pages.guards import done, shown
from gateway.pages.rendering import page
from hub.gate_views import NoSuchProvider
from hub.intake import NoNewAttempt, NothingToResume
from hub.kinds import KINDS
from hub.notice_views import NoSuchNotice, NothingToReplay
from hub.order_rows import NoSuchOrder
from hub.release_rows import NoSuchRelease
from hub.resolving import NothingToResolve
from hub.signup_rows import NoSuchSignup
from hub.views import BadCursor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
REFUSALS = (NothingToResume, NoNewAttempt, NothingToResolve, NothingToReplay)


class GuardedHeaders:
    """Middleware: every answer carries ``HEADERS``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to what comes back."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_guarded)


def create_pages() -> Starlette:
    """Return the pages, to be mounted at ``/ui``."""
    routes = [
        Route("/", shown(overview.overview, scope="orders:read")),
        Route("/sign-in", entrance.ask_for_key, methods=["GET"]),
        Route("/sign-in", entrance.sign_in, methods=["POST"]),
        Route("/sign-out", entrance.sign_out, methods=["POST"]),
        Route("/search", shown(overview.search)),
        Route("/attention", shown(attention.attention)),
        Route("/runbook", shown(attention.show_runbook)),
        Route("/services", shown(services.services, scope="operations:read")),
        Route("/notices/{id:int}/replay", done(attention.replay, scope="operations:write", refusals=REFUSALS), methods=["POST"]),
        Route("/services/{provider}/pause", done(services.pause, scope="operations:write"), methods=["POST"]),
        Route("/services/{provider}/resume", done(services.resume, scope="operations:write"), methods=["POST"]),
        Route("/style.css", _stylesheet),
    ]
    for kind in KINDS:
        read, write = f"{kind}s:read", f"{kind}s:write"
        routes += [
            Route(f"/{kind}s", shown(overview.listed(kind), scope=read)),
            Route(f"/{kind}s/{{id}}", shown(subjects.shown_with_story(kind), scope=read)),
            Route(f"/{kind}s/{{id}}/retry", done(subjects.retried(kind), scope=write, refusals=REFUSALS), methods=["POST"]),
            Route(f"/{kind}s/{{id}}/resolve", done(subjects.resolved(kind), scope=write, refusals=REFUSALS), methods=["POST"]),
        ]
    troubles = dict.fromkeys((SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError), _database_down)
    missing = dict.fromkeys((NoSuchOrder, NoSuchSignup, NoSuchRelease, NoSuchNotice, NoSuchProvider), _said(HTTP_404_NOT_FOUND))
    handlers = troubles | missing | {BadCursor: _said(HTTP_422_UNPROCESSABLE_CONTENT), HTTPException: _refused}
    return Starlette(routes=routes, middleware=[Middleware(GuardedHeaders)], exception_handlers=handlers)


async def _stylesheet(request: Request) -> Response:
    del request
    return Response((files("gateway.pages") / "style.css").read_text(), media_type="text/css")


def _said(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return page(request, "problem", status_code=status, problem=str(error))

    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these only
    return page(request, "problem", status_code=error.status_code, problem=error.detail)


async def _database_down(request: Request, error: Exception) -> Response:
    log.error("%s %s: the database does not answer (%s)", request.method, request.url.path, type(error).__name__)
    return page(
        request, "problem", status_code=HTTP_503_SERVICE_UNAVAILABLE, problem="The database does not answer. Try again in a moment."
    )
