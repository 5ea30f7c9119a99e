"""The customer does not want the order any more: tried at every status and every step, each undoes exactly what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hub.cancelling import NotCancellable, cancel
from hub.facets import Status
from hub.intake import go_on, raise_attempt
from hub.refunds import RefundTerms, ask_refund
from hub.stock import on_hand, set_on_hand
from tests.contract.cancelled_orders import (
    CASES,
    GIVEN_BACK,
    PIECES,
    PRODUCT,
    STEPS,
    TOLD,
    TOO_LATE,
    WISH,
    Case,
    Step,
    Until,
    awaiting_payment,
    cancelled_during,
    cancelling,
    confirmed,
    needs_attention,
    packed,
    payment_failed,
    received,
    seen,
    tables,
)
from tests.contract.ledger_kit import Shop, changed, facts_of, row_of, sql
from tests.contract.notice_kit import handled, warehouse_told
from tests.contract.process_kit import accounts_of, goes_on, rests

DOCUMENT = Path(__file__).parents[2] / "docs" / "cancellation.md"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    await set_on_hand(PRODUCT, PIECES)
    async with changed(pick_tickets="true"):
        with accounts_of(shop):
            yield shop


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.until.__name__)
async def test_a_cancelled_order_is_undone_as_far_as_it_was(shop: Shop, case: Case) -> None:
    order_id = await case.until(shop)
    assert (await row_of(order_id)).status == case.before
    before = await seen(shop, order_id)

    for _ in range(2):
        await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)
    if case.looked_at:
        assert (row.status, row.hold) == (Status.NEEDS_ATTENTION, "undoing")
        await go_on(order_id)
        row = await rests(order_id)
    await cancel(order_id, WISH, by="shop")

    assert (row.status, row.message) == (case.after, "undone: the customer cancelled it: a change of mind")
    assert (await row_of(order_id)).resume_at is None
    assert await seen(shop, order_id) - before == case.undone
    assert (await on_hand())[PRODUCT] == case.shelf
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "undoing"] == ["shop"]


@pytest.mark.parametrize("until", TOO_LATE, ids=lambda until: until.__name__)
async def test_too_late_says_what_to_do_instead_and_changes_nothing(shop: Shop, until: Until) -> None:
    order_id = await until(shop)
    row, before = await row_of(order_id), await seen(shop, order_id)
    assert row.status == until.__name__

    with pytest.raises(NotCancellable, match=TOO_LATE[until]):
        await cancel(order_id, WISH, by="shop")
    assert (await row_of(order_id)).model_dump() == row.model_dump()
    assert await seen(shop, order_id) == before


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_cancelled_in_the_middle_of_a_step_nothing_is_left_of_it(shop: Shop, step: Step) -> None:
    order_id = await cancelled_during(shop, step)
    row = await rests(order_id)

    assert row.status == Status.REFUNDED
    assert await seen(shop, order_id) == step.in_all
    assert (await on_hand())[PRODUCT] == PIECES


def test_every_status_is_tried() -> None:
    tried = {case.before for case in CASES} | {Status(until.__name__) for until in TOO_LATE} | {Status(cancelling.__name__)}

    assert tried == set(Status)


def test_the_document_says_what_was_tried() -> None:
    assert tables() in DOCUMENT.read_text(), f"docs/cancellation.md has to hold:\n\n{tables()}"


async def test_a_payment_that_the_customer_finished_meanwhile_goes_back(shop: Shop) -> None:
    order_id = await awaiting_payment(shop)
    await shop.sandbox.customer_approves((await row_of(order_id)).payment_id or "")

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert (row.status, row.refunded, row.stock) == (Status.REFUNDED, row.amount, "released")
    assert await seen(shop, order_id) == Counter({"stripe.charge": 1}) + GIVEN_BACK


async def test_a_charge_whose_answer_was_lost_is_found_and_goes_back(shop: Shop) -> None:
    order_id = await received(shop)
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
    await goes_on(order_id)
    assert (await row_of(order_id)).charge_id is None

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.REFUNDED
    assert await seen(shop, order_id) == Counter({"stripe.charge": 1}) + GIVEN_BACK


async def test_a_charge_that_never_reached_the_provider_is_not_made_any_more(shop: Shop) -> None:
    order_id = await received(shop)
    await shop.sandbox.fault("stripe", "create payment", "drop", when="before")
    await goes_on(order_id)

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.CANCELLED
    assert await seen(shop, order_id) == TOLD


async def test_what_the_bank_cannot_call_off_goes_back_as_soon_as_it_is_paid(shop: Shop) -> None:
    order_id = await cancelling(shop)

    waiting = await row_of(order_id)
    assert (waiting.status, waiting.message) == (Status.CANCELLING, "waits: the bank is processing the payment")
    assert (waiting.stock, waiting.resume_at is not None) == ("reserved", True)

    await shop.sandbox.world(f"stripe/payments/{waiting.payment_id}/settle", succeeds=True)
    row = await rests(order_id)
    assert (row.status, row.refunded) == (Status.REFUNDED, row.amount)


async def test_an_attempt_that_was_begun_is_cancelled_with_the_payment_of_the_one_before(shop: Shop) -> None:
    order_id = await payment_failed(shop)
    await raise_attempt(order_id, 2, "pm_card_visa")

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.CANCELLED
    assert (await seen(shop, order_id))["stripe.payment_canceled"] == 1
    assert (await seen(shop, order_id))["stripe.charge"] == 0


async def test_what_a_person_has_to_look_at_first_is_undone_once_they_have(shop: Shop) -> None:
    order_id = await needs_attention(shop)

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)
    assert (row.status, row.hold) == (Status.NEEDS_ATTENTION, "undoing")
    assert row.message == "needs attention: something is odd; then it is undone: the customer cancelled it: a change of mind"

    await go_on(order_id)
    assert (await rests(order_id)).status == Status.REFUNDED


async def test_what_has_gone_back_in_part_is_not_given_back_again(shop: Shop) -> None:
    order_id = await confirmed(shop)
    await ask_refund(order_id, "r-1", RefundTerms(amount=4_000), by="shop")
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    assert sorted(effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)) == [4_000, 6_000]


async def test_a_carrier_that_takes_a_cancelled_parcel_along_all_the_same_calls_a_person(shop: Shop) -> None:
    order_id = await packed(shop)
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    await handled(warehouse_told("picked_up", order_id))
    row = await rests(order_id)

    assert (row.status, "the carrier has the parcel of an order that was cancelled" in row.message) == (Status.NEEDS_ATTENTION, True)


async def test_the_team_hears_that_a_packed_parcel_must_not_leave(shop: Shop) -> None:
    order_id = await packed(shop)
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    said = [message["text"] for message in await shop.sandbox.objects("slack", "message")]
    assert [text for text in said if order_id in text and "it is packed: keep the parcel from the carrier" in text]
