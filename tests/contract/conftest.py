"""What contract tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.ledger_kit import Shop, clean, open_shop
from tests.contract.sandbox_process import WAREHOUSE_SECRET, Sandbox, Webhooks, running_sandbox
from tests.contract.told_kit import Told
from tests.contract.webhook_kit import calling_back
from tests.contract.webhook_receiver import Receiver


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def the_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    quiet = Webhooks("", {"warehouse": WAREHOUSE_SECRET})
    async with running_sandbox(tmp_path_factory.mktemp("sandbox"), webhooks=quiet) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(the_sandbox: Sandbox) -> Sandbox:
    """A sandbox that calls nobody back; each module gets it as good as new."""
    await the_sandbox.reset()
    return the_sandbox


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def the_pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Sandbox, Receiver]]:
    async with calling_back(tmp_path_factory.mktemp("sandbox")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="session")
async def both(the_pair: tuple[Sandbox, Receiver]) -> tuple[Sandbox, Receiver]:
    """A sandbox, and the receiver that it calls back; each test gets them as good as new."""
    sandbox, receiver = the_pair
    await sandbox.reset()
    receiver.clear()
    return sandbox, receiver


@pytest.fixture
def receiver(both: tuple[Sandbox, Receiver]) -> Receiver:
    """The receiver that the sandbox calls back."""
    return both[1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def the_shop(sandbox: Sandbox, hub_database: str) -> AsyncIterator[Shop]:
    del hub_database  # the one that the code under test uses
    async with open_shop(sandbox) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="session")
async def shop(the_shop: Shop) -> Shop:
    """The accounts of an order at the sandbox; each test counts only its own."""
    return await clean(the_shop)


@pytest_asyncio.fixture(loop_scope="session")
async def told(both: tuple[Sandbox, Receiver]) -> Told:
    """What the hub understands of what it is told from now on."""
    return Told(*both)


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
