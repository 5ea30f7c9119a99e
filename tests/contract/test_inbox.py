"""What providers tell us is kept once, whoever tells it how often."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import col, select

from hub.database import engine, transaction
from hub.inbox import clear_old_content, keep
from hub.inbox_tables import InboxWatchRow, NoticeRow
from hub.inbox_watch import InboxWatch, look
from hub.notices import Notice
from hub.subject_rows import database_now
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

    assert (await look(before.newest)).waits
    assert not (await look(0)).waits


async def test_one_watches_the_inbox_at_a_time_until_it_leaves() -> None:
    first, second = InboxWatch("first"), InboxWatch("second")
    assert not (await look(0)).watched
    assert await first.is_mine()
    assert not await second.is_mine()
    await second.leave()
    assert (await look(0)).watched, "who does not watch ends nobody's watch"

    await first.leave()

    assert not (await look(0)).watched
    assert await second.is_mine()
    await second.leave()


async def test_a_watch_whose_process_is_dead_or_frozen_is_taken_over() -> None:
    frozen, heir = InboxWatch("frozen"), InboxWatch("heir")
    assert await frozen.is_mine()
    async with transaction() as session:
        watch = await session.get_one(InboxWatchRow, 1)
        watch.until = await database_now(session) - timedelta(milliseconds=1)

    assert not (await look(0)).watched
    assert await heir.is_mine()
    await frozen.leave()
    assert (await look(0)).watched
    await heir.leave()


@pytest.mark.parametrize("state", ["handled", "not_for_us"])
async def test_what_was_in_a_notice_is_forgotten_a_month_after_it_was_over_and_it_is_still_known(state: str) -> None:
    old, young = a_notice(f"evt_old_{state}"), a_notice(f"evt_young_{state}")
    await keep([old, young])
    await over(old, state, days_ago=30.1)
    await over(young, state, days_ago=29.9)

    assert await clear_old_content() == 1

    assert await content_of(old) is None
    assert await content_of(young) == young.content
    assert (await keep([old])).new == frozenset(), "seen before, for ever"
    assert await content_of(old) is None


@pytest.mark.parametrize("state", ["failed", "quarantined"])
async def test_what_a_person_still_has_to_look_at_keeps_its_content_however_old_it_is(state: str) -> None:
    notice = a_notice(f"evt_{state}")
    await keep([notice])
    await over(notice, state, days_ago=400)

    await clear_old_content()

    assert await content_of(notice) == notice.content


async def test_old_content_goes_in_portions() -> None:
    notices = [a_notice(f"evt_portion_{number}") for number in range(5)]
    await keep(notices)
    for notice in notices:
        await over(notice, "handled", days_ago=31)

    assert [await clear_old_content(most=3) for _ in range(3)] == [3, 2, 0]


async def over(notice: Notice, state: str, *, days_ago: float) -> None:
    """The notice came to its end so many days ago."""
    async with transaction() as session:
        row = (await session.exec(select(NoticeRow).where(col(NoticeRow.event_id) == notice.event_id))).one()
        row.state, row.next_at = state, None
        row.handled_at = await database_now(session) - timedelta(days=days_ago)


async def content_of(notice: Notice) -> bytes | None:
    async with transaction() as session:
        return (await session.exec(select(NoticeRow.content).where(col(NoticeRow.event_id) == notice.event_id))).one()
