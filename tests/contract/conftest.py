"""What contract tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.sandbox_process import Sandbox, running_sandbox
from tests.contract.told_kit import Told
from tests.contract.webhook_kit import calling_back
from tests.contract.webhook_receiver import Receiver


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A sandbox that calls nobody back."""
    async with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Sandbox, Receiver]]:
    """A sandbox, and the receiver that it calls back."""
    async with calling_back(tmp_path_factory.mktemp("sandbox")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="session")
async def told(both: tuple[Sandbox, Receiver]) -> Told:
    """What the hub understands of what it is told from now on."""
    sandbox, receiver = both
    await sandbox.reset()
    receiver.clear()
    return Told(sandbox, receiver)


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
