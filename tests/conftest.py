"""What all tests share: one PostgreSQL for the whole run, and a fresh hub database for each module."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from deployments.embedded_database import HUB_DATABASE, EmbeddedDatabase
from deployments.supervisor import Supervised
from hub.database import migrate
from hub.per_loop import close_all
from hub.settings import settings

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the journeys first: they are few and long, and the many short files after them let all processes finish together."""
    items.sort(key=lambda item: "journeys" not in item.path.parts)


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """Nothing in a test may reach beyond this machine."""
    import pytest_socket  # noqa: PLC0415 - it patches sockets when asked to

    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[EmbeddedDatabase]:
    """A real PostgreSQL with the hub's newest schema in database ``hub``. Not below pytest's folder, which another pytest shuts."""
    home = Path(tempfile.mkdtemp(prefix="hub-tests-"))
    for folder in ("logs", "run"):
        (home / folder).mkdir()
    database = EmbeddedDatabase(home, f"tests-{os.getpid()}")
    await database.prepare()
    server = Supervised(database.role(dict(os.environ)), home, print)
    await server.start()
    try:
        await database.create_databases()
        await migrate(database.url(HUB_DATABASE))
        yield database
    finally:
        await server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub_database(postgres: EmbeddedDatabase) -> AsyncIterator[str]:
    """A fresh hub database, a rehearsal hub of its own, that the code under test uses; returns its URL."""
    name = f"hub_{next(_numbers)}"
    admin = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database="postgres")
    with pytest.MonkeyPatch.context() as patch:
        try:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{HUB_DATABASE}"')
            patch.setenv("HUB_DATABASE_URL", postgres.url(name))
            settings.cache_clear()
            await _a_hub_of_its_own(postgres, name)
            yield postgres.url(name)
        finally:
            await close_all()
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await admin.close()
    settings.cache_clear()


async def _a_hub_of_its_own(postgres: EmbeddedDatabase, name: str) -> None:
    connection = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database=name)
    await connection.execute("UPDATE hub_identity SET hub_id = gen_random_uuid(), mode = 'rehearsal'")
    await connection.close()
