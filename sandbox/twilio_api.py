"""Twilio, rehearsed: credentials, errors, and who a message is about."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox import twilio_messages
from sandbox.calls import Answer, Call, Provider, World
from sandbox.twilio_messages import NAME, about, error

_ACCOUNT = re.compile(r"/Accounts/(?P<sid>AC[0-9a-f]{32})(?=[/.])")
_TOKENS = "rehearsal"
_TROUBLE = {401: (20003, "Authenticate"), 429: (20429, "Too Many Requests"), 503: (20503, "Service Unavailable")}


class Twilio(Provider):
    """Twilio's API below ``/twilio``."""

    name = NAME
    prefix = "/twilio"
    latency_ms = 50
    operations = twilio_messages.OPERATIONS

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the form, or the query for a GET."""
        return dict(request.query_params) if request.method == "GET" else dict(parse_qsl(body.decode("utf-8", "replace")))

    def credential(self, request: Request) -> str | None:
        """Return the auth token, if it is shown together with the account that the address is about."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        account = _ACCOUNT.search(request.url.path)
        try:
            user, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        return token or None if scheme.lower() == "basic" and account and account["sid"] == user else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let tokens in that say they are for rehearsal and were not revoked."""
        if credential is None or not credential.startswith(_TOKENS) or revoked:
            return error(401, 20003, "Authenticate")
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method
        return error(404, 20404, f"The requested resource {path} was not found")

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that Twilio gives with ``status``."""
        answer = error(status, *_TROUBLE.get(status, (20500, "An internal server error has occurred")))
        return dict(answer.body) if isinstance(answer.body, dict) else {}

    def headers(self, request_id: str, key: str | None) -> dict[str, str]:
        """Return the request's id under Twilio's name for it."""
        del request_id, key
        return {"Twilio-Request-Id": f"RQ{secrets.token_hex(16)}"}

    def subject(self, call: Call) -> str | None:
        """Look into the callback address and the body of the message that is sent or read."""
        return about(call.values) or about(call.store.get(NAME, "message", call.parts.get("sid", "")) or {})

    def settle(self, world: World, what: str, identity: str) -> None:
        """Move a message on."""
        twilio_messages.settled(world, what, identity)
