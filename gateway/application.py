"""The gateway's applications, for subjects and for webhooks: their routes, their errors, and what they open and close."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError

from gateway import approvals, health, metrics, orders, releases, signups
from gateway.faults import database_down, invalid
from gateway.limits import BodyLimit
from gateway.pages.application import create_pages
from gateway.webhooks import PATH, Door
from hub.approval_views import NoSuchApproval
from hub.cancelling import NotCancellable
from hub.database import engine
from hub.deciding import NotDecided
from hub.enrolling import AliasInLiveMode, SignupDiffers
from hub.intake import NoNewAttempt, NothingToResume, OrderDiffers, PaymentMethodMissing
from hub.order_rows import NoSuchOrder
from hub.per_loop import close_all
from hub.refund_views import NoSuchRefund
from hub.refunds import NotRefundable, RefundDiffers
from hub.release_rows import NoSuchRelease
from hub.releasing import ReleaseDiffers
from hub.settings import settings
from hub.signup_rows import NoSuchSignup
from hub.views import BadCursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

Part = Literal["webhooks", "orders"]
BODY_LIMIT_BYTES = 1024 * 1024


class Gateway:
    """
    Webhooks and everything else side by side; either can be left out, so that webhooks can have a port of their own.

    Webhooks do not pass through FastAPI: it would take most of the time that they take.
    """

    def __init__(self, door: Door | None, api: ASGIApp) -> None:
        self._door = door
        self._webhooks = None if door is None else BodyLimit(door, limit_bytes=BODY_LIMIT_BYTES)
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end."""
        if self._webhooks is not None and scope["type"] == "http" and scope["path"].startswith(PATH):
            await self._webhooks(scope, receive, send)
        else:
            await self._api(scope, receive, send)


def create_app(only: Part | None = None) -> Gateway:
    """Return the gateway's application, or one that has only that part of it and ``/health``."""
    door = None if only == "orders" else Door(settings().home.expanduser().resolve())
    return Gateway(door, _api(door, with_orders=only != "webhooks"))


def _api(door: Door | None, *, with_orders: bool) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with AsyncExitStack() as stack:
            stack.push_async_callback(close_all)
            await engine()
            gc.freeze()  # else each full collection walks through everything imported, 0.2 s in which nobody is answered
            if door is not None:
                await stack.enter_async_context(door.open())
            yield

    app = FastAPI(title="Integration Hub", version="1", lifespan=lifespan)
    app.add_middleware(BodyLimit, limit_bytes=BODY_LIMIT_BYTES)
    if with_orders:
        app.include_router(orders.router)
        app.include_router(signups.router)
        app.include_router(metrics.router)
        app.include_router(releases.router)
        app.include_router(approvals.router)
        app.mount("/ui", create_pages())
        app.add_api_route("/", _to_the_pages, include_in_schema=False)
    app.include_router(health.router)
    app.exception_handler(RequestValidationError)(invalid)
    for trouble in (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        app.exception_handler(trouble)(database_down)
    for error, code in (
        (NoSuchOrder, status.HTTP_404_NOT_FOUND),
        (OrderDiffers, status.HTTP_409_CONFLICT),
        (NoNewAttempt, status.HTTP_409_CONFLICT),
        (NothingToResume, status.HTTP_409_CONFLICT),
        (NotCancellable, status.HTTP_409_CONFLICT),
        (NoSuchRefund, status.HTTP_404_NOT_FOUND),
        (NoSuchApproval, status.HTTP_404_NOT_FOUND),
        (NotDecided, status.HTTP_409_CONFLICT),
        (RefundDiffers, status.HTTP_409_CONFLICT),
        (NotRefundable, status.HTTP_409_CONFLICT),
        (NoSuchSignup, status.HTTP_404_NOT_FOUND),
        (SignupDiffers, status.HTTP_409_CONFLICT),
        (NoSuchRelease, status.HTTP_404_NOT_FOUND),
        (ReleaseDiffers, status.HTTP_409_CONFLICT),
        (AliasInLiveMode, status.HTTP_422_UNPROCESSABLE_CONTENT),
        (PaymentMethodMissing, status.HTTP_422_UNPROCESSABLE_CONTENT),
        (BadCursor, status.HTTP_422_UNPROCESSABLE_CONTENT),
    ):
        app.exception_handler(error)(_answering(code))
    return app


async def _to_the_pages() -> RedirectResponse:
    return RedirectResponse("/ui/", status.HTTP_303_SEE_OTHER)


def _answering(code: int) -> Any:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        del request
        differs = {"differs": error.paths} if isinstance(error, OrderDiffers | SignupDiffers | ReleaseDiffers) else {}
        return JSONResponse({"detail": str(error), **differs}, status_code=code)

    return answer
