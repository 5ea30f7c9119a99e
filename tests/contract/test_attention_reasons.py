"""Each reason for which a person is called: its fault calls them, the runbook's step is done, and nobody is called any more."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from flows.reconcile_providers import reconcile
from hub.beginning import begin
from hub.begun import Ask
from hub.cancelling import CancelWish, cancel
from hub.due import give_up_the_hopeless
from hub.effects import LeaseLost
from hub.exchange import Exchange
from hub.intake import go_on
from hub.metrics import ATTENTION, measure
from hub.orders import Order
from hub.overdue import call_for_overdue_parcels
from hub.policies import RESTART
from hub.reconciliation.periods import begin_reconciliation
from hub.refunds import RefundTerms, ask_refund
from hub.resolving import resolve
from hub.settling import settle
from tasks.bulk import in_bulk
from tasks.reconciling import conclude
from tests.contract.ledger_kit import (
    Shop,
    attempts_of,
    changed,
    mail_effect,
    payment_effect,
    placed,
    row_of,
    run_of_a_new_order,
    sql,
    time_passes,
)
from tests.contract.notice_kit import carrier_told, handled, payment_told, told, warehouse_told
from tests.contract.process_kit import accounts_of, rests, snapshot_of

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
REASONS = re.findall(r"^### `(.*)`$", RUNBOOK.partition("\n## Needs attention\n")[2].partition("\n## ")[0], re.MULTILINE)
GAP = "…"
NOBODY_DELIVERS_THERE = {"street": "965 Mission St", "city": "San Francisco", "state": "CA", "zip": "00000"}
DISPUTED = {"error": {"type": "card_error", "code": "charge_disputed", "message": "The charge is disputed."}}

Fault = Callable[[Shop], Awaitable[str]]
"""Makes the trouble for a new order, and returns the order's id."""
Cure = Callable[[str], Awaitable[None]]
CASES: dict[str, tuple[Fault, Cure]] = {}


async def looked_at(order_id: str) -> None:
    """`hub order retry ID`."""
    await go_on(order_id)


def did_happen(step: str) -> Cure:
    """`hub order resolve ID STEP --happened --reference …`."""

    async def cure(order_id: str) -> None:
        await resolve("order", order_id, step, happened=True, reference="seen to by hand", by="ada")

    return cure


def called_for(reason: str, cure: Cure = looked_at) -> Callable[[Fault], Fault]:
    """The fault calls a person for a reason that starts so, and what the runbook says about it."""

    def known(fault: Fault) -> Fault:
        (heading,) = [heading for heading in REASONS if reason in heading]
        CASES[heading] = fault, cure
        return fault

    return known


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _accounts(shop: Shop) -> AsyncIterator[None]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield


@pytest.mark.parametrize("reason", REASONS)
async def test_a_person_is_called_by_the_fault_and_not_any_more_once_the_runbooks_step_is_done(reason: str, shop: Shop) -> None:
    fault, cure = CASES[reason]
    before = await waiting()

    order_id = await fault(shop)

    said = (await row_of(order_id)).attention or ""
    assert re.fullmatch(re.escape(reason).replace(GAP, ".+"), said), said
    assert await waiting() == before + 1

    await shop.sandbox.clear_faults()
    await cure(order_id)

    assert (await row_of(order_id)).attention is None
    assert await waiting() == before


async def waiting() -> float:
    """What the alert HubNeedsAttention looks at."""
    return (await measure()).numbers[ATTENTION].get(("order",), 0)


@called_for("runs brought it no further")
async def stuck(shop: Shop) -> str:
    del shop
    order_id = await placed()
    await sql("UPDATE orders SET runs_without_progress = :runs WHERE id = :id", runs=RESTART.attempts, id=order_id)
    await give_up_the_hopeless()
    return order_id


@called_for("nobody knows whether", did_happen("mail"))
async def mail_lost(shop: Shop) -> str:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        assert isinstance(await begin(mail_effect(order), shop.sendgrid.terms), Ask)
        await time_passes(mail_effect(order), 2 * 86_400)
        with pytest.raises(LeaseLost):
            await begin(mail_effect(order), shop.sendgrid.terms)
    return order.id


@called_for("twice: ")
async def charged_twice(shop: Shop) -> str:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        [attempt] = await attempts_of(payment_effect(order))
        await settle(payment_effect(order), attempt.id, Exchange(), payment.model_copy(update={"payment_id": "pi_another"}))
    return order.id


@called_for("does not take label", did_happen("void"))
async def label_kept(shop: Shop) -> str:
    refusal = {"transaction": ["Transaction is not found or cannot be refunded."]}
    await shop.sandbox.fault("shippo", "void label", "status", status=400, body=refusal)
    order_id = await confirmed()
    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)
    return order_id


@called_for("could not …: …", did_happen("refund"))
async def refund_refused(shop: Shop) -> str:
    await shop.sandbox.fault("stripe", "refund payment", "status", status=402, body=DISPUTED)
    order_id = await placed(shipping=NOBODY_DELIVERS_THERE)
    await rests(order_id)
    return order_id


@called_for("the customer has not got that money")
async def refund_came_back(shop: Shop) -> str:
    order_id = await confirmed()
    await ask_refund(order_id, "r-1", RefundTerms(amount=1_000), by="shop")
    await rests(order_id)
    [refund] = await shop.sandbox.objects("stripe", "refund")
    money = {"amount": 1_000, "currency": "usd", "payment_intent": refund["payment_intent"], "metadata": refund["metadata"]}
    failed = {"object": "refund", "id": refund["id"], "status": "failed", "failure_reason": "expired_or_canceled_card", **money}
    await handled(told("stripe", "refund.failed", {"data": {"object": failed}}))
    return order_id


@called_for("of an order that was cancelled")
async def taken_along(shop: Shop) -> str:
    del shop
    order_id = await confirmed()
    await handled(warehouse_told("packed", order_id))
    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)
    await handled(warehouse_told("picked_up", order_id))
    return order_id


@called_for("the customer's bank disputes")
async def disputed(shop: Shop) -> str:
    del shop
    order_id = await confirmed()
    await bank_says("created", "needs_response", await snapshot_of(order_id))
    return order_id


@called_for("was lost; the bank")
async def dispute_lost(shop: Shop) -> str:
    order_id = await disputed(shop)
    await looked_at(order_id)
    await bank_says("closed", "lost", await snapshot_of(order_id))
    return order_id


@called_for("could not deliver the parcel")
async def undeliverable(shop: Shop) -> str:
    del shop
    order_id = await confirmed()
    await handled(carrier_told("FAILURE", (await row_of(order_id)).tracking_number or ""))
    return order_id


@called_for("the provider says")
async def amounts_differ(shop: Shop) -> str:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
    await handled(payment_told("succeeded", order, payment.payment_id, amount=1, amount_received=1))
    return order.id


@called_for("and the ledger differ about")
async def amount_changed_behind_our_back(shop: Shop) -> str:
    opened_at = datetime.now(UTC)
    order_id = await confirmed()
    row = await row_of(order_id)
    await shop.sandbox.tamper("stripe", "payment_intent", row.payment_id or "", amount=row.amount - 1, amount_received=row.amount - 1)
    async with changed(time_scale="0.01"):  # otherwise what happened just now is left alone
        begun = await begin_reconciliation(f"rec-{order_id}", opened_at, datetime.now(UTC) + timedelta(minutes=1))
        with in_bulk():
            await conclude(begun, [one async for one in reconcile(begun, ("stripe",))])
    return order_id


@called_for("the warehouse does not pack")
async def not_to_be_packed(shop: Shop) -> str:
    del shop
    async with changed(pick_tickets="true"):
        order_id = await placed(items=[{"productId": "unheard-of", "quantity": 1, "price": 5_000}])
        await rests(order_id)
    return order_id


@called_for("cannot keep the parcel")
async def left_before_the_warehouse_heard(shop: Shop) -> str:
    async with changed(pick_tickets="true"):
        order_id = await confirmed()
        await shop.sandbox.world("events/custom", type="picked_up", data={"orderId": order_id})
        await cancel(order_id, CancelWish(), by="shop")
        await rests(order_id)
    return order_id


@called_for("has not packed the parcel in time")
async def packed_late(shop: Shop) -> str:
    del shop
    async with changed(pick_tickets="true"):
        order_id = await confirmed()
        await nobody_moves_the_parcel(order_id)
    return order_id


@called_for("nobody has picked the packed parcel up")
async def picked_up_late(shop: Shop) -> str:
    del shop
    async with changed(pick_tickets="true"):
        order_id = await confirmed()
        await handled(warehouse_told("packed", order_id))
        await rests(order_id)
        await nobody_moves_the_parcel(order_id)
    return order_id


async def nobody_moves_the_parcel(order_id: str) -> None:
    await sql("UPDATE orders SET waits_since = waits_since - interval '30 days' WHERE id = :id", id=order_id)
    assert order_id in await call_for_overdue_parcels()


@called_for("the carrier does not come")
async def carrier_stays_away(shop: Shop) -> str:
    await shop.sandbox.fault("shippo", "schedule pickup", "status", status=400, body={"transactions": ["not eligible"]})
    async with changed(pick_tickets="true"):
        order_id = await confirmed()
        await handled(warehouse_told("packed", order_id))
        await rests(order_id)
    return order_id


async def confirmed() -> str:
    order_id = await placed()
    await rests(order_id)
    return order_id


async def bank_says(kind: str, status: str, order: Order) -> None:
    """What Stripe tells about a dispute of the order's payment."""
    payment_id = (await row_of(order.id)).payment_id
    about = {"payment_intent": payment_id, "charge": order.charge_id, "amount": 1_000, "currency": "usd", "reason": "fraudulent"}
    dispute = {"object": "dispute", "id": f"du_{order.id}", "status": status, "metadata": {}, **about}
    await handled(told("stripe", f"charge.dispute.{kind}", {"data": {"object": dispute}}))
