"""The hub's PostgreSQL: one pool per event loop, one transaction at a time, and the migrations."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from asyncpg import OperatorInterventionError, PostgresConnectionError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.per_loop import per_loop
from hub.policies import INTERNAL
from hub.settings import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.pool import PoolProxiedConnection as DBAPIConnection

log = logging.getLogger(__name__)
Result = TypeVar("Result")

MIGRATION_LOCK = 7_205_501  # any number, the same for every hub: two processes never migrate at once


class DatabaseNotChosen(Exception):
    """No database was named and no stack is running."""

    def __str__(self) -> str:
        return "no database: start the local stack with `hub up`, or set HUB_DATABASE_URL (postgresql+asyncpg://…)"


def database_url() -> str:
    """
    Return the hub's database URL.

    Raises:
        DatabaseNotChosen: Neither the environment nor a running stack names one.
    """
    if (url := settings().database_url) is None:
        raise DatabaseNotChosen
    return url


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        url,
        pool_size=settings().database_connections,  # each is a process of PostgreSQL with 4 MB of its own
        pool_use_lifo=True,  # a few warm connections for what is usual, the others for crowds
        max_overflow=0,  # an overflow connection is opened and closed for one transaction, which costs more than the transaction
        hide_parameters=True,  # an error's text never holds an order
        connect_args={"timeout": 10, "server_settings": {"idle_in_transaction_session_timeout": f"{settings().lease_seconds * 1000:.0f}"}},
    )
    event.listen(engine.sync_engine, "checkout", _still_open)
    try:
        yield engine
    finally:
        await engine.dispose()


def _still_open(connection: DBAPIConnection, record: object, proxy: object) -> None:
    """Refuse a pooled connection that the server has closed; the pool opens another. Asking the server would cost two round trips."""
    del record, proxy
    if connection.driver_connection is None or connection.driver_connection.is_closed():
        raise DisconnectionError


async def engine() -> AsyncEngine:
    """Return this event loop's engine, made on first use and closed with the loop."""
    url = database_url()
    return await per_loop(("database", url), lambda: _engine(url))


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """One transaction: committed at the end of the block, rolled back when it raises."""
    async with AsyncSession(await engine(), expire_on_commit=False) as session, session.begin():
        yield session


async def steadfast(commit: Callable[[], Awaitable[Result]]) -> Result:
    """
    Return what ``commit`` returns; while the database does not answer it is tried again, as long as the policy for the database says.

    Only for what may be committed twice, and what nobody else could: a cancellation waits until it is over. Raises the last error.
    """
    return await unhurried(_again_and_again(commit))


async def _again_and_again(commit: Callable[[], Awaitable[Result]]) -> Result:
    gives_up_at, tries = time.monotonic() + INTERNAL.budget_seconds * settings().time_scale, 0
    while True:
        try:
            return await commit()
        except Exception as error:
            tries += 1
            if not _does_not_answer(error) or time.monotonic() > gives_up_at:
                raise
            log.warning("the database does not answer (%s); what has happened is committed when it is back", type(error).__name__)
            await asyncio.sleep(INTERNAL.wait_seconds(tries))


def _does_not_answer(error: Exception) -> bool:
    """Tell whether the database is away or just coming back, and did not refuse what it was asked."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        return error.connection_invalidated or isinstance(error, InterfaceError) or state.startswith(("08", "57P"))
    return isinstance(error, OSError | PostgresConnectionError | OperatorInterventionError)


async def unhurried(work: Awaitable[Result]) -> Result:
    """Await ``work`` to its end even when the caller is cancelled meanwhile; the cancellation follows afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str | None = None) -> None:
    """Bring the database at ``url`` (default: the hub's) to the newest schema; safe to call from several processes at once."""
    target = create_async_engine(url or database_url())
    try:
        async with target.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade, _alembic())
    finally:
        await target.dispose()


async def schema_is_current() -> bool:
    """Tell whether the database has the newest migration."""
    newest = ScriptDirectory.from_config(_alembic()).get_current_head()
    async with (await engine()).connect() as connection:
        return newest == await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
