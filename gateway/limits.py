"""Bodies that are too large are refused, and not kept in memory on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

THROWN_AWAY_BYTES = 64 * 1024 * 1024
"""So much of a body that is too large is read and thrown away: a client that is still sending when we hang up sees no answer."""


class BodyLimit:
    """Middleware: answers 413 to a body of more than ``limit_bytes``, whether or not it says its length."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self.app, self.limit_bytes = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        kept = bytearray()
        size = _declared(scope) if _declared(scope) > THROWN_AWAY_BYTES else 0
        more = size == 0
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunk = message.get("body", b"")
            size += len(chunk)
            kept += chunk
            if size > self.limit_bytes:
                kept.clear()
            more = message.get("more_body", False) and size <= THROWN_AWAY_BYTES
        if size > self.limit_bytes:
            detail = f"the body is larger than {self.limit_bytes} bytes"
            await JSONResponse({"detail": detail}, status_code=413, headers={"Connection": "close"})(scope, receive, send)
            return
        await self.app(scope, _again(bytes(kept), receive), send)


def _declared(scope: Scope) -> int:
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the whole body first, then what the server says, which is that the client has gone."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
