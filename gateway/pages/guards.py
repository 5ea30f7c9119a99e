"""Before each page: who asks, and whether their key opens it. Before each deed also: whether it was asked for on a page of ours."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.background import BackgroundTasks
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER, HTTP_403_FORBIDDEN

from gateway.pages.sessions import PATH, Session, say, session_of

log = logging.getLogger(__name__)

# What was found out about who asks is `request.state.session` from here on.
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
SEE_SIGN_IN = f"{PATH}/sign-in"


@dataclass(frozen=True)
class Asked:
    """Something that somebody has asked for by a form; ``later`` is done once they have their answer."""

    request: Request
    session: Session
    form: FormData
    later: BackgroundTasks

    @property
    def by(self) -> str:
        """The name of the key that asks."""
        return self.session.key.name

    def field(self, name: str) -> str:
        """Return what was typed into a field, without what stands around it."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""


Deed = Callable[[Asked], Awaitable[str]]
"""Does it, and returns a sentence about what came of it."""


def shown(to: Endpoint, *, scope: str | None = None) -> Endpoint:
    """Return the endpoint that shows a page to whoever is signed in with a key that opens ``scope``."""

    async def endpoint(request: Request) -> Response:
        session = request.state.session = await session_of(request)
        if session is None:
            return RedirectResponse(f"{SEE_SIGN_IN}?next={quote(_here(request))}", HTTP_303_SEE_OTHER)
        _must_open(session, scope)
        return await to(request)

    return endpoint


def done(deed: Deed, *, scope: str, refusals: tuple[type[Exception], ...] = ()) -> Endpoint:
    """Return the endpoint that does it and goes back to the page it was asked for on; ``refusals`` are said there."""

    async def endpoint(request: Request) -> Response:
        must_come_from_here(request)
        session = request.state.session = await session_of(request)
        if session is None:
            return RedirectResponse(SEE_SIGN_IN, HTTP_303_SEE_OTHER)
        form = await request.form()
        if not hmac.compare_digest(str(form.get("form_token", "")).encode(), session.form_token.encode()):
            raise HTTPException(HTTP_403_FORBIDDEN, "this form is not from your session; load the page again, and try again")
        _must_open(session, scope)
        asked = Asked(request, session, form, BackgroundTasks())
        try:
            told = await deed(asked)
        except refusals as refusal:
            told = f"Nothing was changed: {refusal}"
        log.info("%s by %s: %s", request.url.path, asked.by, "refused" if told.startswith("Nothing") else "done")
        response = RedirectResponse(local(asked.field("back")), HTTP_303_SEE_OTHER, background=asked.later)
        say(response, request, told)
        return response

    return endpoint


def must_come_from_here(request: Request) -> None:
    """
    Refuse what another site's page makes a browser send. ``SameSite`` does not tell ports of one host apart, ``Origin`` does.

    Raises:
        HTTPException: 403, unless the browser says that the form stood on a page of ours.
    """
    if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
        raise HTTPException(HTTP_403_FORBIDDEN, "this was not asked for on a page of the hub")


def local(place: str) -> str:
    """Return ``place`` if it is one of our pages, else the first one."""
    inside = place == PATH or place.startswith(f"{PATH}/")
    return place if inside and "\\" not in place and place.isprintable() else f"{PATH}/"


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _must_open(session: Session, scope: str | None) -> None:
    if scope is not None and not session.opens(scope):
        raise HTTPException(HTTP_403_FORBIDDEN, f"this key does not open {scope}")
