"""What a person has to look at stands in one list, with what to do next."""

from __future__ import annotations

import pytest

from hub.attention import attention_list
from hub.database import transaction
from hub.facts import AttentionNeeded
from hub.intake import go_on
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import placed
from tests.contract.notice_kit import handled, notice_of, told

pytestmark = pytest.mark.usefixtures("hub_database")


async def test_orders_and_notices_that_need_a_person_are_listed_until_they_do_not() -> None:
    order_id = await placed()
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        await record(session, row, AttentionNeeded(epoch=row.epoch, reason="look at the refund"), source="undo")
    broken = told("stripe", "payment_intent.succeeded", {"data": {}})
    await handled(broken)

    first, second = await attention_list()

    assert (first.what, first.reason, first.then) == (f"order {order_id}", "look at the refund", f"hub order retry {order_id}")
    number = (await notice_of(broken)).id
    assert (second.what, second.then) == (f"notice {number}", f"hub notices replay {number}")
    assert "stripe payment_intent.succeeded" in second.reason

    await go_on(order_id)
    assert [one.what for one in await attention_list()] == [f"notice {number}"]
