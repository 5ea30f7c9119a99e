"""The customer does not want the order any more: tried at every status, each undoes exactly what was done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from hub.cancelling import CancelWish, NotCancellable, cancel
from hub.database import transaction
from hub.facets import Status
from hub.facts import AttentionNeeded, DisputeOpened
from hub.intake import go_on, raise_attempt
from hub.refunds import RefundTerms, ask_refund
from hub.stock import on_hand, reserve, set_on_hand
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import Shop, facts_of, placed, row_of, run, sql
from tests.contract.notice_kit import handled, warehouse_told
from tests.contract.process_kit import accounts_of, goes_on, rests

PRODUCT, PIECES = "prod-cancelled", 7
GOODS = [{"productId": PRODUCT, "quantity": 2, "price": 5_000}]
WISH = CancelWish(reason="a change of mind")


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    await set_on_hand(PRODUCT, PIECES)
    with accounts_of(shop):
        yield shop


async def received() -> str:
    return await placed(items=GOODS)


async def reserved() -> str:
    async with run(await received()) as order:
        await reserve(order)
    return order.id


async def awaiting_payment() -> str:
    order_id = await placed(items=GOODS, paymentMethod="pm_card_threeDSecure2Required")
    await goes_on(order_id)
    return order_id


async def payment_failed() -> str:
    order_id = await placed(items=GOODS, paymentMethod="pm_card_chargeDeclined")
    await goes_on(order_id)
    return order_id


async def out_of_stock() -> str:
    order_id = await placed(items=[GOODS[0] | {"quantity": PIECES + 1, "price": 1}])
    await goes_on(order_id)
    return order_id


async def confirmed() -> str:
    order_id = await received()
    await goes_on(order_id)
    return order_id


async def told_of_the_parcel(*kinds: str) -> str:
    order_id = await confirmed()
    for kind in kinds:
        await handled(warehouse_told(kind, order_id))
    await rests(order_id)
    return order_id


async def packed() -> str:
    return await told_of_the_parcel("packed")


async def in_transit() -> str:
    return await told_of_the_parcel("packed", "picked_up")


async def delivered() -> str:
    return await told_of_the_parcel("delivered")


async def returned() -> str:
    return await told_of_the_parcel("delivered", "returned")


async def refunded() -> str:
    order_id = await delivered()
    await ask_refund(order_id, "r-1", RefundTerms(), by="shop")
    await rests(order_id)
    return order_id


async def disputed() -> str:
    order_id = await confirmed()
    await happened(order_id, DisputeOpened(attempt=1, dispute_id="dp_1", charge_id="ch_1", reason="fraudulent", amount=1, currency="usd"))
    return order_id


async def happened(order_id: str, fact: DisputeOpened | AttentionNeeded) -> None:
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        await record(session, row, fact, source="webhook")


@dataclass(frozen=True)
class Cancelled:
    """Cancelling an order that stands like this: what it is then, and what the providers did because of it."""

    before: Status
    until: Callable[[], Awaitable[str]]
    after: Status
    undone: Counter[str]
    at_the_shelf: int = PIECES


async def seen(shop: Shop, order_id: str) -> Counter[str]:
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await shop.sandbox.effects(subject=order_id))


GIVEN_BACK = Counter({"stripe.refund": 1, "sendgrid.mail": 1, "slack.message": 1})
VOIDED = Counter({"shippo.refund": 1})
TOLD = Counter({"slack.message": 1})
CALLED_OFF = TOLD + Counter({"stripe.payment_canceled": 1})
TABLE = (
    Cancelled(Status.RECEIVED, received, Status.CANCELLED, TOLD),
    Cancelled(Status.RECEIVED, reserved, Status.CANCELLED, TOLD),
    Cancelled(Status.AWAITING_PAYMENT, awaiting_payment, Status.CANCELLED, CALLED_OFF),
    Cancelled(Status.PAYMENT_FAILED, payment_failed, Status.CANCELLED, CALLED_OFF - TOLD),  # the team was told already
    Cancelled(Status.OUT_OF_STOCK, out_of_stock, Status.CANCELLED, TOLD),
    Cancelled(Status.CONFIRMED, confirmed, Status.REFUNDED, GIVEN_BACK + VOIDED),
    Cancelled(Status.PACKED, packed, Status.REFUNDED, GIVEN_BACK + VOIDED),
)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.until.__name__)
async def test_a_cancelled_order_is_undone_as_far_as_it_was(shop: Shop, case: Cancelled) -> None:
    order_id = await case.until()
    assert (await row_of(order_id)).status == case.before
    before = await seen(shop, order_id)

    for _ in range(2):
        await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)
    await cancel(order_id, WISH, by="shop")

    assert (row.status, row.message) == (case.after, "undone: the customer cancelled it: a change of mind")
    assert (await row_of(order_id)).resume_at is None
    assert await seen(shop, order_id) - before == case.undone
    assert (await on_hand())[PRODUCT] == case.at_the_shelf
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "undoing"] == ["shop"]


TOO_LATE = {
    in_transit: "the carrier has the parcel; let the customer refuse it or send it back, then give the money back with POST /orders/",
    delivered: "the parcel has arrived; let the customer send it back, then",
    returned: "the parcel comes back, or is back; give the money back",
    refunded: "its whole payment has gone back already",
    disputed: "the customer's bank decides about its payment",
}


@pytest.mark.parametrize("until", TOO_LATE, ids=lambda until: until.__name__)
async def test_too_late_says_what_to_do_instead_and_changes_nothing(shop: Shop, until: Callable[[], Awaitable[str]]) -> None:
    order_id = await until()
    row, before = await row_of(order_id), await seen(shop, order_id)
    assert row.status == until.__name__

    with pytest.raises(NotCancellable, match=TOO_LATE[until]):
        await cancel(order_id, WISH, by="shop")
    assert (await row_of(order_id)).model_dump() == row.model_dump()
    assert await seen(shop, order_id) == before


async def test_a_payment_that_the_customer_finished_meanwhile_goes_back(shop: Shop) -> None:
    order_id = await awaiting_payment()
    await shop.sandbox.customer_approves((await row_of(order_id)).payment_id or "")

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert (row.status, row.refunded, row.stock) == (Status.REFUNDED, row.amount, "released")
    assert await seen(shop, order_id) == Counter({"stripe.charge": 1}) + GIVEN_BACK


async def test_a_charge_whose_answer_was_lost_is_found_and_goes_back(shop: Shop) -> None:
    order_id = await received()
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
    await goes_on(order_id)
    assert (await row_of(order_id)).charge_id is None

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.REFUNDED
    assert await seen(shop, order_id) == Counter({"stripe.charge": 1}) + GIVEN_BACK


async def test_a_charge_that_never_reached_the_provider_is_not_made_any_more(shop: Shop) -> None:
    order_id = await received()
    await shop.sandbox.fault("stripe", "create payment", "drop", when="before")
    await goes_on(order_id)

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.CANCELLED
    assert await seen(shop, order_id) == TOLD


async def test_cancelled_while_it_is_charged_it_is_not_shipped_and_the_money_goes_back(shop: Shop) -> None:
    order_id = await received()
    await shop.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=0.5)
    charging = asyncio.create_task(goes_on(order_id))
    await shop.sandbox.until_in_flight("stripe", "create payment", worked=True)

    await cancel(order_id, WISH, by="shop")
    await charging
    row = await rests(order_id)

    assert row.status == Status.REFUNDED
    assert await seen(shop, order_id) == Counter({"stripe.charge": 1}) + GIVEN_BACK


async def test_what_the_bank_is_at_is_called_off(shop: Shop) -> None:
    order_id = await placed(items=GOODS, paymentMethod="pm_usBankAccount_processing")
    await goes_on(order_id)
    await cancel(order_id, WISH, by="shop")

    assert (await rests(order_id)).status == Status.CANCELLED
    assert await seen(shop, order_id) == CALLED_OFF


async def test_what_the_bank_cannot_call_off_goes_back_as_soon_as_it_is_paid(shop: Shop) -> None:
    order_id = await placed(items=GOODS, paymentMethod="pm_usBankAccount_processing")
    await goes_on(order_id)
    refusal = {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "it is processing"}}
    await shop.sandbox.fault("stripe", "cancel payment", "status", status=400, body=refusal)
    await cancel(order_id, WISH, by="shop")
    await goes_on(order_id)

    waiting = await row_of(order_id)
    assert (waiting.status, waiting.message) == (Status.CANCELLING, "waits: the bank is processing the payment")
    assert (waiting.stock, waiting.resume_at is not None) == ("reserved", True)

    await shop.sandbox.world(f"stripe/payments/{waiting.payment_id}/settle", succeeds=True)
    row = await rests(order_id)
    assert (row.status, row.refunded) == (Status.REFUNDED, row.amount)


async def test_an_attempt_that_was_begun_is_cancelled_with_the_payment_of_the_one_before(shop: Shop) -> None:
    order_id = await payment_failed()
    await raise_attempt(order_id, 2, "pm_card_visa")

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)

    assert row.status == Status.CANCELLED
    assert (await seen(shop, order_id))["stripe.payment_canceled"] == 1
    assert (await seen(shop, order_id))["stripe.charge"] == 0


async def test_what_a_person_has_to_look_at_first_is_undone_once_they_have(shop: Shop) -> None:
    order_id = await confirmed()
    await happened(order_id, AttentionNeeded(epoch=1, reason="something is odd"))

    await cancel(order_id, WISH, by="shop")
    row = await rests(order_id)
    assert (row.status, row.hold) == (Status.NEEDS_ATTENTION, "undoing")
    assert row.message == "needs attention: something is odd; then it is undone: the customer cancelled it: a change of mind"

    await go_on(order_id)
    assert (await rests(order_id)).status == Status.REFUNDED


async def test_what_has_gone_back_in_part_is_not_given_back_again(shop: Shop) -> None:
    order_id = await confirmed()
    await ask_refund(order_id, "r-1", RefundTerms(amount=4_000), by="shop")
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    assert sorted(effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)) == [4_000, 6_000]


async def test_a_carrier_that_takes_a_cancelled_parcel_along_all_the_same_calls_a_person(shop: Shop) -> None:
    order_id = await packed()
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    await handled(warehouse_told("picked_up", order_id))
    row = await rests(order_id)

    assert (row.status, "the carrier has the parcel of an order that was cancelled" in row.message) == (Status.NEEDS_ATTENTION, True)


async def test_the_team_hears_that_a_packed_parcel_must_not_leave(shop: Shop) -> None:
    order_id = await packed()
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)

    said = [message["text"] for message in await shop.sandbox.objects("slack", "message")]
    assert [text for text in said if order_id in text and "it is packed: keep the parcel from the carrier" in text]
