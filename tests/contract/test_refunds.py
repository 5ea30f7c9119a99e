"""Money goes back at a person's word: once per refund id, never more than was paid, and everybody is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.facets import Status
from hub.refund_views import RefundState, view_refund
from hub.refunds import NotRefundable, RefundDiffers, RefundTerms, ask_refund
from hub.stock import on_hand, set_on_hand
from tests.contract.ledger_kit import Shop, facts_of, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled
from tests.contract.process_kit import accounts_of, rests

ALL = RefundTerms()
PART = RefundTerms(amount=4_000, reason="a scratch")


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield shop


async def a_confirmed_order(**changes: Any) -> str:
    order_id = await placed(**changes)
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def a_delivered_order(**changes: Any) -> str:
    order_id = await a_confirmed_order(**changes)
    await handled(carrier_told("DELIVERED", (await row_of(order_id)).tracking_number or ""))
    assert (await rests(order_id)).status == Status.DELIVERED
    return order_id


async def given_back(shop: Shop, order_id: str) -> list[int]:
    return [effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)]


async def test_a_part_goes_back_once_and_the_customer_is_told(shop: Shop) -> None:
    order_id = await a_delivered_order()
    mails = await shop.sandbox.count("sendgrid", "mail", order_id)

    asked = [await ask_refund(order_id, "r-1", PART, by="shop") for _ in range(2)]
    row = await rests(order_id)

    assert asked[0] == asked[1]
    assert await given_back(shop, order_id) == [4_000]
    assert (row.status, row.refunded) == (Status.DELIVERED, 4_000)
    assert (await view_refund(order_id, "r-1")).status is RefundState.REFUNDED
    assert await shop.sandbox.count("sendgrid", "mail", order_id) == mails + 1
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "refund asked"] == ["shop"]


async def test_a_refund_for_goods_that_came_back_puts_them_on_the_shelf_once(shop: Shop) -> None:
    await set_on_hand("prod-back", 5)
    order_id = await a_delivered_order(items=[{"productId": "prod-back", "quantity": 2, "price": 5_000}])
    back = RefundTerms(amount=4_000, restock=True)

    for _ in range(2):
        await ask_refund(order_id, "r-1", back, by="shop")
        await rests(order_id)
    assert (await on_hand())["prod-back"] == 5
    with pytest.raises(RefundDiffers):
        await ask_refund(order_id, "r-1", RefundTerms(amount=4_000), by="shop")

    await ask_refund(order_id, "r-2", RefundTerms(amount=1, restock=True), by="shop")
    await rests(order_id)
    assert (await on_hand())["prod-back"] == 5


async def test_goods_that_are_still_to_leave_do_not_come_back(shop: Shop) -> None:
    order_id = await a_confirmed_order()

    with pytest.raises(NotRefundable, match="its goods are still to leave"):
        await ask_refund(order_id, "r-1", RefundTerms(amount=4_000, restock=True), by="shop")


async def test_two_parts_and_the_rest_are_all_and_then_nothing_is_left(shop: Shop) -> None:
    order_id = await a_delivered_order()
    for number, terms in enumerate((PART, PART, ALL)):
        await ask_refund(order_id, f"r-{number}", terms, by="shop")
        row = await rests(order_id)

    assert await given_back(shop, order_id) == [4_000, 4_000, 2_000]
    assert row.status == Status.REFUNDED
    with pytest.raises(NotRefundable, match="its whole payment has gone back"):
        await ask_refund(order_id, "r-9", PART, by="shop")


async def test_more_than_is_left_is_refused_with_what_is_left(shop: Shop) -> None:
    order_id = await a_delivered_order()
    await ask_refund(order_id, "r-1", PART, by="shop")

    with pytest.raises(NotRefundable, match=r"of the 100\.00 USD that were paid, 60\.00 USD are left"):
        await ask_refund(order_id, "r-2", RefundTerms(amount=6_001), by="shop")
    await rests(order_id)
    assert await given_back(shop, order_id) == [4_000]


async def test_refunds_that_come_at_once_never_add_up_to_more_than_was_paid(shop: Shop) -> None:
    order_id = await a_delivered_order()

    answers = await asyncio.gather(*(ask_refund(order_id, f"r-{n}", PART, by="shop") for n in range(5)), return_exceptions=True)

    assert Counter(type(answer).__name__ for answer in answers) == {"RefundAsked": 2, "NotRefundable": 3}
    await rests(order_id)
    assert await given_back(shop, order_id) == [4_000, 4_000]


async def test_the_same_id_never_means_another_refund(shop: Shop) -> None:
    order_id = await a_delivered_order()
    await ask_refund(order_id, "r-1", PART, by="shop")

    for other in (ALL, RefundTerms(amount=4_000, reason="two scratches"), RefundTerms(amount=4_001, reason="a scratch")):
        with pytest.raises(RefundDiffers):
            await ask_refund(order_id, "r-1", other, by="shop")


async def test_nothing_goes_back_of_what_was_never_paid(shop: Shop) -> None:
    del shop
    order_id = await placed()

    with pytest.raises(NotRefundable, match="nothing was paid; cancel it instead"):
        await ask_refund(order_id, "r-1", ALL, by="shop")


async def test_a_refund_that_stripe_refuses_calls_a_person_and_the_customer_is_told_nothing(shop: Shop) -> None:
    order_id = await a_delivered_order()
    mails = await shop.sandbox.count("sendgrid", "mail", order_id)
    refusal = {"error": {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "already refunded"}}
    await shop.sandbox.fault("stripe", "refund payment", "status", status=400, body=refusal)

    await ask_refund(order_id, "r-1", PART, by="shop")
    row = await rests(order_id)

    assert row.status == Status.NEEDS_ATTENTION
    assert "charge_already_refunded" in row.message
    assert (await view_refund(order_id, "r-1")).status is RefundState.FAILED
    assert await shop.sandbox.count("sendgrid", "mail", order_id) == mails


async def test_a_lost_answer_to_a_refund_is_found_out_and_not_asked_twice(shop: Shop) -> None:
    order_id = await a_delivered_order()
    await shop.sandbox.fault("stripe", "refund payment", "drop", when="after")

    await ask_refund(order_id, "r-1", PART, by="shop")
    await rests(order_id, runs=3)

    assert await given_back(shop, order_id) == [4_000]


async def test_nobody_ships_what_was_given_back_in_full(shop: Shop) -> None:
    order_id = await a_confirmed_order()

    await ask_refund(order_id, "r-1", RefundTerms(reason="sold by mistake"), by="shop")
    row = await rests(order_id)

    assert (row.status, row.hold, row.stock) == (Status.REFUNDED, "undone", "released")
    assert row.message == "undone: refunded in full: sold by mistake"
    assert await given_back(shop, order_id) == [10_000]
