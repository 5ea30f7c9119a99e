"""What contract tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


@pytest_asyncio.fixture
async def silent_prefect() -> AsyncIterator[str]:
    """The URL of something that takes every connection and never says a word."""
    held: list[asyncio.StreamWriter] = []

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    server.close()
    for writer in held:
        writer.close()
    await server.wait_closed()
