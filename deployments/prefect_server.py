"""
Prefect's own server, closed to web pages of other origins: ``python -m deployments.prefect_server --port 4200``.

CORS only keeps a foreign page from reading answers. It may still send requests that need no preflight (Prefect reads JSON also from
``text/plain``), open WebSockets, and, by pointing its own host name at this machine, become the same origin. So a request that names
another origin, or another host than this machine, is refused before Prefect sees it. Programs send no ``Origin`` and notice nothing.
"""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

import uvicorn
from prefect.server.api.server import create_app
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.ports import HOST

LOCAL_NAMES = (HOST, "localhost")


class OwnOriginOnly:
    """Lets requests without ``Origin``, and those from the server's own pages, pass to ``app``; the others get 403."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app, self.port = app, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide by the ``Origin`` header; a refused WebSocket is closed before it is accepted."""
        origin = Headers(scope=scope).get("origin") if scope["type"] in {"http", "websocket"} else None
        if origin is None or self._is_own(origin):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse("This page may not speak to Prefect.", status_code=403)(scope, receive, send)

    def _is_own(self, origin: str) -> bool:
        page = urlsplit(origin)
        return page.scheme == "http" and page.hostname in LOCAL_NAMES and page.port == self.port


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deployments.prefect_server")
    parser.add_argument("--port", type=int, required=True, help="port to listen on, on loopback")
    port = parser.parse_args().port
    app = TrustedHostMiddleware(OwnOriginOnly(create_app(final=True), port), allowed_hosts=list(LOCAL_NAMES), www_redirect=False)
    uvicorn.run(app, host=HOST, port=port, log_level="warning", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
