"""Who listens hears what becomes of a subject once it is committed, so that people can hang automations of their own on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from hub.database import transaction
from hub.facts import AttentionNeeded
from hub.status_changes import StatusChange, statuses_told_to
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import Shop, placed, row_of
from tests.contract.process_kit import accounts_of, rests


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    with accounts_of(shop):
        yield shop


async def test_each_status_that_an_order_gets_is_told_once(shop: Shop) -> None:
    del shop
    order_id, heard = await placed(), list[StatusChange]()
    with statuses_told_to(heard.append):
        await rests(order_id)

    assert [(change.before, change.status) for change in heard] == [("received", "paid"), ("paid", "confirmed")]
    assert {(change.subject_kind, change.subject_id, change.attention) for change in heard} == {("order", order_id, None)}
    assert {change.correlation_id for change in heard} == {(await row_of(order_id)).correlation_id}


async def test_what_is_not_committed_is_not_told_and_a_call_for_a_person_says_why(shop: Shop) -> None:
    del shop
    order_id, heard = await placed(), list[StatusChange]()
    reason = AttentionNeeded(epoch=1, reason="the parcel has two labels")
    with statuses_told_to(heard.append):
        async with transaction() as session:
            row, _ = await locked(session, order_id)
            await record(session, row, reason, source="run")
            await session.rollback()
        assert heard == []
        async with transaction() as session:
            row, _ = await locked(session, order_id)
            await record(session, row, reason, source="run")

    assert [(change.status, change.attention) for change in heard] == [("needs_attention", "the parcel has two labels")]
