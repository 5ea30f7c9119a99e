"""An order that is in flight when the hub is upgraded goes on: its old rows, in new tables, and asked as it was intended then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deployments.embedded_database import EmbeddedDatabase
from hub.claims import current
from hub.database import _alembic, migrate, transaction
from hub.effects import Parked
from hub.facets import Status
from hub.per_loop import close_all
from hub.settings import settings
from tests.contract.ledger_kit import SETTLED_SECONDS, Shop, effect_of, ends_with, outcomes_of, payment_effect, placed, run, time_passes
from tests.contract.process_kit import accounts_of, rests

OLD_VERSION = "0009"
"""The tables as they were before there were releases, approvals, reconciliations and recoveries."""
OF_AN_ORDER = ("hub_identity", "orders", "effects", "attempts", "facts", "reservations")


@pytest_asyncio.fixture(loop_scope="session")
async def old_database(postgres: EmbeddedDatabase) -> AsyncIterator[str]:
    """The URL of an empty database with the old tables."""
    admin = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database="postgres")
    await admin.execute("CREATE DATABASE hub_before")
    try:
        engine = create_async_engine(postgres.url("hub_before"))
        async with engine.begin() as connection:
            await connection.run_sync(_upgraded_to, OLD_VERSION)
            await connection.execute(text("DELETE FROM hub_identity"))
        await engine.dispose()
        yield postgres.url("hub_before")
    finally:
        await close_all()
        await admin.execute("DROP DATABASE hub_before WITH (FORCE)")
        await admin.close()


async def test_an_order_whose_payment_nobody_knows_of_is_paid_once_across_an_upgrade(shop: Shop, old_database: str) -> None:
    order_id = await placed()
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
    with ends_with(Parked, match="the answer was lost"):
        async with run(order_id) as order:
            await shop.until_paid(order)
    await time_passes(payment_effect(order), SETTLED_SECONDS)
    rows = {table: await rows_of(table) for table in OF_AN_ORDER}

    with pytest.MonkeyPatch.context() as patch:
        await put_into(old_database, rows)
        await migrate(old_database)
        patch.setenv("HUB_DATABASE_URL", old_database)
        settings.cache_clear()
        with accounts_of(shop):
            row = await rests(order_id)
        effect = await effect_of(payment_effect(await current(order_id)))
        outcomes = await outcomes_of(payment_effect(order))
    settings.cache_clear()

    assert (row.status, effect.request) == (Status.CONFIRMED, payment_effect(order).request.model_dump(mode="json"))
    assert outcomes == ["unknown", "done"]
    assert await shop.sandbox.count("stripe", "charge", order_id) == 1
    assert await shop.sandbox.count("shippo", "label", order_id) == 1


def _upgraded_to(connection: Any, version: str) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, version)


async def rows_of(table: str) -> list[str]:
    """The table's rows as JSON."""
    async with transaction() as session:
        found = await (await session.connection()).execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))  # noqa: S608 - a name from above
        return [row[0] for row in found]


async def put_into(url: str, rows: dict[str, list[str]]) -> None:
    """Put the rows into tables of the old version, as far as these have such columns."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for table, found in rows.items():
            into = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{table}, CAST(:row AS jsonb))"  # noqa: S608 - a name from above
            for row in found:
                await connection.execute(text(into), {"row": row})
        for table in ("attempts", "facts"):
            await connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)"))
    await engine.dispose()
