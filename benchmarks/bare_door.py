"""
What the door for webhooks is compared with: an endpoint that only inserts a row. ``python -m benchmarks.bare_door <port>``.

Bare ASGI on the same server, asyncpg without SQLAlchemy, one committed row per request in the hub's own database: no signature, no
identity, no nudge.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import asyncpg
import uvicorn

from benchmarks.inbox import address_of
from hub.settings import settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CONNECTIONS = 40
TABLE = "CREATE TABLE IF NOT EXISTS benchmark_bare_door (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content bytea NOT NULL)"
INSERT = "INSERT INTO benchmark_bare_door (content) VALUES ($1)"


class BareDoor:
    """Inserts the body and answers 202."""

    def __init__(self, database_url: str) -> None:
        self._place = address_of(database_url)
        self._pool: asyncpg.Pool | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._pool is None:
            raise RuntimeError("the server has not started")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await self._pool.execute(INSERT, body)
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncpg.create_pool(**self._place, min_size=CONNECTIONS, max_size=CONNECTIONS) as self._pool:
            await self._pool.execute(TABLE)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Serve on the port that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_door")
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    door = BareDoor(settings().database_url or "")
    uvicorn.run(door, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False)


if __name__ == "__main__":
    main()
