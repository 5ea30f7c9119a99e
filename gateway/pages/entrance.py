"""Signing in with a key of the gateway, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED

from gateway.pages import sessions
from gateway.pages.guards import SEE_SIGN_IN, local, must_come_from_here
from gateway.pages.rendering import page

if TYPE_CHECKING:
    from starlette.requests import Request

LONGEST_KEY = 200
_WRONG = "This key is unknown or revoked. Make one with `hub keys add NAME`."


async def ask_for_key(request: Request) -> Response:
    """Show the form."""
    return page(request, "sign_in", onward=local(request.query_params.get("next", "")), problem=None)


async def sign_in(request: Request) -> Response:
    """Begin a session with the key from the form, or say that it opens nothing."""
    must_come_from_here(request)
    form = await request.form()
    secret, onward = str(form.get("key", "")).strip(), local(str(form.get("next", "")))
    response = RedirectResponse(onward, HTTP_303_SEE_OTHER)
    if len(secret) <= LONGEST_KEY and await sessions.begin(response, request, secret):
        return response
    return page(request, "sign_in", status_code=HTTP_401_UNAUTHORIZED, onward=onward, problem=_WRONG)


async def sign_out(request: Request) -> Response:
    """End the session."""
    must_come_from_here(request)
    response = RedirectResponse(SEE_SIGN_IN, HTTP_303_SEE_OTHER)
    sessions.end(response)
    return response
