"""Connections that can be cut for real: the web server hands every request the end of its own line."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "sandbox.connection"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol; a request finds in its scope how to abort the connection it came on."""

    def on_message_begin(self) -> None:
        """Begin a request as uvicorn does, and add the way to cut the line."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"abort": self.transport.abort}}


class HangUp(Response):
    """No answer at all: the TCP connection is closed, as a crash or a broken network would."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Abort the connection and wait until the server has noticed, so that nothing is sent."""
        del send
        scope["extensions"][_EXTENSION]["abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass
