"""Which databases a stack uses when it is given a server of somebody else's."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from deployments.problems import Problem


@dataclass(frozen=True)
class Databases:
    """The two databases of a stack, as SQLAlchemy reads their addresses."""

    hub: str
    prefect: str


def given(hub_url: str, prefect_url: str | None) -> Databases:
    """
    The databases that ``HUB_DATABASE_URL`` means; Prefect's is called ``prefect`` on the same server unless it is given too.

    Raises:
        Problem: The address is not PostgreSQL on asyncpg.
    """
    hub = _parsed(hub_url)
    if prefect_url:
        return Databases(hub_url, prefect_url)
    return Databases(hub_url, hub.set(database="prefect").render_as_string(hide_password=False))


async def make_sure_it_exists(url: str) -> None:
    """
    The database of ``url`` exists; it is created if it was missing.

    Raises:
        Problem: The server does not answer, or does not let us create it.
    """
    wanted = _parsed(url)
    try:
        await (await _connect(wanted)).close()
    except asyncpg.InvalidCatalogNameError:
        await _create(wanted)
    except (OSError, TimeoutError, asyncpg.PostgresError) as refusal:
        message = f"The database at {wanted.render_as_string()} cannot be reached ({_short(refusal)}): check HUB_DATABASE_URL."
        raise Problem(message) from refusal


async def _create(wanted: URL) -> None:
    try:
        connection = await _connect(wanted.set(database="postgres"))
        try:
            await connection.execute(f'CREATE DATABASE "{wanted.database}"')
        finally:
            await connection.close()
    except asyncpg.DuplicateDatabaseError:
        return  # somebody was quicker
    except (OSError, TimeoutError, asyncpg.PostgresError) as refusal:
        message = (
            f"The database {wanted.database!r} is missing and could not be created ({_short(refusal)}): create it, "
            "or name another one with HUB_DATABASE_URL or PREFECT_SERVER_DATABASE_CONNECTION_URL."
        )
        raise Problem(message) from refusal


async def _connect(url: URL) -> asyncpg.Connection:
    return await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), timeout=10)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as wrong:
        raise Problem("HUB_DATABASE_URL is not an address: write postgresql+asyncpg://user:password@host/database.") from wrong
    if parsed.drivername != "postgresql+asyncpg" or not parsed.database:
        raise Problem("The database must be PostgreSQL on asyncpg: write postgresql+asyncpg://user:password@host/database.")
    return parsed


def _short(refusal: BaseException) -> str:
    return (str(refusal) or type(refusal).__name__).splitlines()[0][:200]
