"""Orders at every point at which their customer can cancel them, and what is undone there: the table of docs/cancellation.md."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hub.cancelling import CancelWish, cancel
from hub.database import transaction
from hub.facets import Status
from hub.facts import AttentionNeeded, DisputeOpened
from hub.refunds import RefundTerms, ask_refund
from hub.stock import reserve
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import Shop, placed, run
from tests.contract.notice_kit import handled, warehouse_told
from tests.contract.process_kit import goes_on, rests

PRODUCT, PIECES = "prod-cancelled", 7
GOODS = [{"productId": PRODUCT, "quantity": 2, "price": 5_000}]
WISH = CancelWish(reason="a change of mind")
BANK_IS_AT_IT = {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "it is processing"}}
Until = Callable[[Shop], Awaitable[str]]


async def received(_shop: Shop) -> str:
    """nothing has been done yet"""
    return await placed(items=GOODS)


async def reserved(shop: Shop) -> str:
    """its goods are set aside"""
    async with run(await received(shop)) as order:
        await reserve(order)
    return order.id


async def awaiting_payment(_shop: Shop) -> str:
    """the customer has to confirm the payment"""
    return await paying_with("pm_card_threeDSecure2Required")


async def processing(_shop: Shop) -> str:
    """the bank is processing the payment"""
    return await paying_with("pm_usBankAccount_processing")


async def payment_failed(_shop: Shop) -> str:
    """the card was declined"""
    return await paying_with("pm_card_chargeDeclined")


async def paying_with(method: str) -> str:
    order_id = await placed(items=GOODS, paymentMethod=method)
    await goes_on(order_id)
    return order_id


async def out_of_stock(_shop: Shop) -> str:
    """there are not enough goods"""
    order_id = await placed(items=[GOODS[0] | {"quantity": PIECES + 1, "price": 1}])
    await goes_on(order_id)
    return order_id


async def paid(shop: Shop) -> str:
    """no carrier could be asked yet"""
    order_id = await received(shop)
    await shop.sandbox.fault("shippo", "create shipment", "drop")
    await goes_on(order_id)
    return order_id


async def confirmed(shop: Shop) -> str:
    """the warehouse has its pick ticket"""
    order_id = await received(shop)
    await goes_on(order_id)
    return order_id


async def told_of_the_parcel(shop: Shop, *kinds: str) -> str:
    order_id = await confirmed(shop)
    for kind in kinds:
        await handled(warehouse_told(kind, order_id))
    await rests(order_id)
    return order_id


async def packed(shop: Shop) -> str:
    """the carrier was asked to come"""
    return await told_of_the_parcel(shop, "packed")


async def in_transit(shop: Shop) -> str:
    """the carrier has the parcel"""
    return await told_of_the_parcel(shop, "packed", "picked_up")


async def delivered(shop: Shop) -> str:
    """the parcel has arrived"""
    return await told_of_the_parcel(shop, "delivered")


async def returned(shop: Shop) -> str:
    """the parcel comes back"""
    return await told_of_the_parcel(shop, "delivered", "returned")


async def refunded(shop: Shop) -> str:
    """all of it went back after it had arrived"""
    order_id = await delivered(shop)
    await ask_refund(order_id, "r-1", RefundTerms(), by="shop")
    await rests(order_id)
    return order_id


async def disputed(shop: Shop) -> str:
    """the customer's bank wants the money"""
    order_id = await confirmed(shop)
    await happened(order_id, DisputeOpened(attempt=1, dispute_id="dp_1", charge_id="ch_1", reason="fraudulent", amount=1, currency="usd"))
    return order_id


async def needs_attention(shop: Shop) -> str:
    """confirmed, and a person has to look at something first"""
    order_id = await confirmed(shop)
    await happened(order_id, AttentionNeeded(epoch=1, reason="something is odd"))
    return order_id


async def cancelling(shop: Shop) -> str:
    """the bank is at it, and nobody can call it off"""
    order_id = await processing(shop)
    await shop.sandbox.fault("stripe", "cancel payment", "status", status=400, body=BANK_IS_AT_IT)
    await cancel(order_id, WISH, by="shop")
    await goes_on(order_id)
    return order_id


async def refunding(shop: Shop) -> str:
    """it was cancelled a moment ago"""
    order_id = await confirmed(shop)
    await cancel(order_id, WISH, by="shop")
    return order_id


async def cancelled(shop: Shop) -> str:
    """it was cancelled before"""
    order_id = await received(shop)
    await cancel(order_id, WISH, by="shop")
    await rests(order_id)
    return order_id


async def undone(shop: Shop) -> str:
    """it was cancelled before"""
    order_id = await refunding(shop)
    await rests(order_id)
    return order_id


async def happened(order_id: str, fact: DisputeOpened | AttentionNeeded) -> None:
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        await record(session, row, fact, source="webhook")


TOLD = Counter({"slack.message": 1})
SHOWN = Counter({"slack.message_updated": 1})
"""The message in which the team sees the order, where there is one, says how it stands."""
CALLED_OFF = Counter({"stripe.payment_canceled": 1})
GIVEN_BACK = TOLD + Counter({"stripe.refund": 1, "sendgrid.mail": 1})
VOIDED = Counter({"shippo.refund": 1})
KEPT_BACK = Counter({"warehouse.pick_ticket_cancelled": 1})
ALL_BACK = GIVEN_BACK + VOIDED + KEPT_BACK + SHOWN
NOTHING: Counter[str] = Counter()


@dataclass(frozen=True)
class Case:
    """
    Cancelling an order that stands like this: what it is ``after``, and what the providers do because of it.

    ``shelf`` is how many goods are there in the end; ``looked_at``: a person lets it go on first.
    """

    before: Status
    until: Until
    after: Status
    undone: Counter[str]
    shelf: int = PIECES
    looked_at: bool = False


CASES = (
    Case(Status.RECEIVED, received, Status.CANCELLED, TOLD),
    Case(Status.RECEIVED, reserved, Status.CANCELLED, TOLD),
    Case(Status.AWAITING_PAYMENT, awaiting_payment, Status.CANCELLED, CALLED_OFF + TOLD),
    Case(Status.AWAITING_PAYMENT, processing, Status.CANCELLED, CALLED_OFF + TOLD),
    Case(Status.PAYMENT_FAILED, payment_failed, Status.CANCELLED, CALLED_OFF + SHOWN),  # the team was told already
    Case(Status.OUT_OF_STOCK, out_of_stock, Status.CANCELLED, TOLD),
    Case(Status.PAID, paid, Status.REFUNDED, GIVEN_BACK),
    Case(Status.CONFIRMED, confirmed, Status.REFUNDED, ALL_BACK),
    Case(Status.PACKED, packed, Status.REFUNDED, ALL_BACK),
    Case(Status.NEEDS_ATTENTION, needs_attention, Status.REFUNDED, ALL_BACK + TOLD + SHOWN, looked_at=True),
    Case(Status.REFUNDING, refunding, Status.REFUNDED, ALL_BACK),
    Case(Status.CANCELLED, cancelled, Status.CANCELLED, NOTHING),
    Case(Status.REFUNDED, undone, Status.REFUNDED, NOTHING),
)
TOO_LATE: dict[Until, str] = {
    in_transit: "the carrier has the parcel; let the customer refuse it or send it back, then give the money back with POST /orders/",
    delivered: "the parcel has arrived; let the customer send it back, then give the money back with POST /orders/",
    returned: "the parcel comes back, or is back; give the money back with POST /orders/",
    refunded: "its whole payment has gone back already",
    disputed: "the customer's bank decides about its payment; answer the dispute at the payment provider",
}


@dataclass(frozen=True)
class Step:
    """Cancelling while a provider's answer to one step is on the way, its work done: what all of them have done in the end."""

    name: str
    provider: str
    operation: str
    in_all: Counter[str]
    until: Until = received
    news: str | None = None


_CHARGED = Counter({"stripe.charge": 1}) + GIVEN_BACK
_LABELLED = _CHARGED + Counter({"shippo.label": 1}) + VOIDED
_ANNOUNCED = _LABELLED + Counter({"sendgrid.mail": 1, "slack.message": 1}) + SHOWN
_TICKETED = _ANNOUNCED + Counter({"warehouse.pick_ticket": 1}) + KEPT_BACK
STEPS = (
    Step("payment", "stripe", "create payment", _CHARGED),
    Step("quote", "shippo", "create shipment", _CHARGED),
    Step("label", "shippo", "buy label", _LABELLED),
    Step("mail to the customer", "sendgrid", "send mail", _ANNOUNCED),
    Step("message to the team", "slack", "post message", _ANNOUNCED),
    Step("pick ticket", "warehouse", "take pick ticket", _TICKETED),
    Step("pick-up", "shippo", "schedule pickup", _TICKETED + Counter({"shippo.pickup": 1}), confirmed, "packed"),
)
IN_WORDS = {
    "stripe.payment_canceled": "the payment is called off",
    "stripe.refund": "the money goes back",
    "shippo.refund": "the label goes back",
    "warehouse.pick_ticket_cancelled": "the warehouse keeps the parcel back",
    "sendgrid.mail": "the customer is told",
    "slack.message": "the team is told",
}


def in_words(undone: Counter[str]) -> str:
    """What the providers do, as people say it."""
    return ", ".join(words for kind, words in IN_WORDS.items() if undone[kind]) or "nothing more"


def tables() -> str:
    """The tables of docs/cancellation.md."""
    lines = ["| the order is | and | it becomes | what is undone |", "|---|---|---|---|"]
    for case in CASES:
        after = f"`{case.after}`" + (", once a person has looked" if case.looked_at else "")
        lines.append(f"| `{case.before}` | {case.until.__doc__} | {after} | {in_words(case.undone)} |")
    lines.append(f"| `cancelling` | {cancelling.__doc__} | `refunded`, as soon as it is paid | {in_words(GIVEN_BACK)} |")
    lines += [
        f"| `{until.__name__}` | {until.__doc__} | 409, and nothing changes | {why.partition(' with POST')[0]} |"
        for until, why in TOO_LATE.items()
    ]
    lines += ["", "| cancelled in the middle of the | it becomes | what is undone |", "|---|---|---|"]
    for step in STEPS:
        done = step.in_all - Counter({"sendgrid.mail": step.in_all["sendgrid.mail"] - 1, "slack.message": step.in_all["slack.message"] - 1})
        lines.append(f"| {step.name} | `refunded` | {in_words(done)} |")
    return "\n".join(lines)


async def seen(shop: Shop, order_id: str) -> Counter[str]:
    """What the providers have done for the order so far."""
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await shop.sandbox.effects(subject=order_id))


async def cancelled_during(shop: Shop, step: Step) -> str:
    """Cancel an order while the provider's answer to this step is on the way."""
    order_id = await step.until(shop)
    await shop.sandbox.fault(step.provider, step.operation, "delay", when="after", seconds=0.5)
    if step.news is not None:
        await handled(warehouse_told(step.news, order_id))
    at_work = asyncio.create_task(goes_on(order_id))
    await shop.sandbox.until_in_flight(step.provider, step.operation, worked=True)
    await cancel(order_id, WISH, by="shop")
    await at_work
    return order_id
