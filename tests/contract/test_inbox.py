"""What providers tell us is kept once, whoever tells it how often."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from hub import inbox_tables  # noqa: F401 - their tables belong to the metadata
from hub.database import engine
from hub.inbox import keep, waiting
from hub.notices import Notice
from hub.tables import metadata

pytestmark = pytest.mark.usefixtures("hub_database")


def a_notice(event_id: str, *, readable: bool = True) -> Notice:
    return Notice(provider="stripe", event_id=event_id, kind="payment_intent.succeeded", content=b'{"id": "evt"}', readable=readable)


async def test_the_migrations_make_exactly_the_tables_that_the_code_declares() -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata))

    async with (await engine()).connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_same_event_told_again_is_seen_before() -> None:
    first = await keep([a_notice("evt_1"), a_notice("evt_2"), a_notice("evt_1")])
    again = await keep([a_notice("evt_2"), a_notice("evt_3")])

    assert first.new == {("stripe", "evt_1"), ("stripe", "evt_2")}
    assert again.new == {("stripe", "evt_3")}
    assert again.newest > first.newest


async def test_the_same_events_told_by_many_at_once_in_any_order_are_each_kept_once() -> None:
    batch = [a_notice(f"evt_many_{number}") for number in range(50)]

    kept = await asyncio.gather(*(keep(batch if turn % 2 else batch[::-1]) for turn in range(8)))

    assert sum(len(one.new) for one in kept) == len(batch)


async def test_what_is_kept_waits_to_be_handled_and_what_nobody_can_read_does_not() -> None:
    unreadable = await keep([a_notice("evt_unreadable", readable=False)])
    assert unreadable.newest > 0
    before = await keep([a_notice("evt_waiting")])

    assert await waiting(before.newest)
    assert not await waiting(0)
