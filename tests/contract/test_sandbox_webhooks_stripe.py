"""What Stripe tells, as it happens: payments that take their time, money that goes back, and cardholders who dispute."""

from __future__ import annotations

import json

import pytest

from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import pay, stripe_kinds
from tests.contract.webhook_receiver import Receiver


@pytest.fixture
def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    return both[0]


def told(receiver: Receiver, kind: str) -> dict[str, object]:
    """What the one event of this type is about."""
    [found] = [event for one in receiver.to("stripe") if (event := json.loads(one.body))["type"] == kind]
    about: dict[str, object] = found["data"]["object"]
    return about


async def test_a_declined_card_is_told(sandbox: Sandbox, receiver: Receiver) -> None:
    await pay(sandbox, "o-declined", "pm_card_chargeDeclined")
    await receiver.until_count(3)

    assert stripe_kinds(receiver) == ["charge.failed", "payment_intent.created", "payment_intent.payment_failed"]


@pytest.mark.parametrize(("outcome", "end"), [("approves", "payment_intent.succeeded"), ("fails", "payment_intent.payment_failed")])
async def test_the_customers_decision_at_the_bank_is_told(sandbox: Sandbox, receiver: Receiver, outcome: str, end: str) -> None:
    intent = await pay(sandbox, "o-3ds", "pm_card_authenticationRequired")
    await receiver.until_count(2)
    assert stripe_kinds(receiver) == ["payment_intent.created", "payment_intent.requires_action"]

    await (sandbox.customer_approves if outcome == "approves" else sandbox.customer_fails)(intent["id"])
    await receiver.until_count(4)
    assert told(receiver, end)["id"] == intent["id"]


@pytest.mark.parametrize(
    ("method", "end"),
    [("pm_usBankAccount", "payment_intent.succeeded"), ("pm_usBankAccount_insufficientFunds", "payment_intent.payment_failed")],
)
async def test_a_payment_that_settles_later_is_told_later(sandbox: Sandbox, receiver: Receiver, method: str, end: str) -> None:
    await pay(sandbox, "o-bank", method)
    await receiver.until_count(4)

    assert {"payment_intent.processing", end} <= set(stripe_kinds(receiver))


@pytest.mark.parametrize(("succeeds", "end"), [(True, "payment_intent.succeeded"), (False, "payment_intent.payment_failed")])
async def test_a_bank_can_be_made_to_decide(sandbox: Sandbox, receiver: Receiver, succeeds: bool, end: str) -> None:
    intent = await pay(sandbox, "o-slow", "pm_usBankAccount_processing")
    await sandbox.world(f"stripe/payments/{intent['id']}/settle", succeeds=succeeds)
    await receiver.until_count(4)

    assert told(receiver, end)["id"] == intent["id"]
    with pytest.raises(ValueError, match="409"):
        await sandbox.world(f"stripe/payments/{intent['id']}/settle")


async def test_a_refund_by_hand_carries_nothing_of_ours_but_names_the_payment(sandbox: Sandbox, receiver: Receiver) -> None:
    intent = await pay(sandbox, "o-hand")
    refund = await sandbox.world(f"stripe/payments/{intent['id']}/refund", amount=500)
    await receiver.until_count(5)

    assert told(receiver, "refund.created") == refund
    assert (refund["metadata"], refund["payment_intent"], refund["amount"]) == ({}, intent["id"], 500)
    assert told(receiver, "charge.refunded")["amount_refunded"] == 500
    with pytest.raises(ValueError, match=r"409: .*1499 usd are left"):
        await sandbox.world(f"stripe/payments/{intent['id']}/refund", amount=1500)


async def test_a_refund_that_fails_afterwards_is_told_and_gives_the_money_back_to_us(sandbox: Sandbox, receiver: Receiver) -> None:
    intent = await pay(sandbox, "o-fails")
    refund = await sandbox.world(f"stripe/payments/{intent['id']}/refund")
    await sandbox.world(f"stripe/refunds/{refund['id']}/fail")
    await receiver.until_count(6)

    assert told(receiver, "refund.failed") == {**refund, "status": "failed", "failure_reason": "expired_or_canceled_card"}
    assert (await sandbox.world(f"stripe/payments/{intent['id']}/refund"))["amount"] == 1999
    with pytest.raises(ValueError, match="409"):
        await sandbox.world(f"stripe/refunds/{refund['id']}/fail")


async def test_a_pending_refund_is_updated_when_it_succeeds(sandbox: Sandbox, receiver: Receiver) -> None:
    intent = await pay(sandbox, "o-pending", "pm_card_pendingRefund")
    await sandbox.world(f"stripe/payments/{intent['id']}/refund")
    await receiver.until_count(6)

    [update] = [event for one in receiver.to("stripe") if (event := json.loads(one.body))["type"] == "refund.updated"]
    assert (update["data"]["object"]["status"], update["data"]["previous_attributes"]) == ("succeeded", {"status": "pending"})


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_a_dispute_is_opened_and_closed(sandbox: Sandbox, receiver: Receiver, end: str) -> None:
    intent = await pay(sandbox, "o-dispute")
    dispute = await sandbox.world(f"stripe/payments/{intent['id']}/dispute", reason="product_not_received")
    await receiver.until_count(5)
    assert told(receiver, "charge.dispute.created") == dispute
    assert (dispute["payment_intent"], dispute["charge"]) == (intent["id"], intent["latest_charge"])
    assert (dispute["amount"], dispute["metadata"]) == (1999, {})

    await sandbox.world(f"stripe/disputes/{dispute['id']}/close", status=end)
    await receiver.until_count(7 if end == "won" else 6)
    assert told(receiver, "charge.dispute.closed")["status"] == end
    assert [effect["kind"] for effect in await sandbox.effects("stripe", subject="o-dispute")] == ["charge", "dispute", f"dispute_{end}"]
    with pytest.raises(ValueError, match="409"):
        await sandbox.world(f"stripe/disputes/{dispute['id']}/close", status=end)


async def test_the_card_that_creates_disputes_does(sandbox: Sandbox, receiver: Receiver) -> None:
    intent = await pay(sandbox, "o-card", "pm_card_createDispute")
    await receiver.until_count(5)

    assert told(receiver, "charge.dispute.created")["payment_intent"] == intent["id"]


async def test_what_does_not_exist_cannot_be_refunded_or_disputed(sandbox: Sandbox, receiver: Receiver) -> None:
    waiting = await pay(sandbox, "o-unpaid", "pm_card_authenticationRequired")
    for path in (f"stripe/payments/{waiting['id']}/refund", "stripe/payments/pi_none/dispute", "stripe/disputes/du_none/close"):
        with pytest.raises(ValueError, match="404"):
            await sandbox.world(path, **({"status": "won"} if "close" in path else {}))
