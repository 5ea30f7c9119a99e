"""From a payment to our fact: what Stripe tells later is the very fact that its answer to our call meant."""

from __future__ import annotations

from typing import Any

import pytest

from blocks.stripe_account import StripeAccount
from hub.errors import Refused
from hub.facts import (
    DisputeClosed,
    DisputeOpened,
    PaymentCanceled,
    PaymentSettled,
    RefundedInAll,
    RefundFailed,
    RefundSettled,
)
from hub.order_steps import ORDER_STEPS
from hub.payments import CancelRequest, Payment, PaymentRequest, RefundRequest
from hub.readings import Reference
from tests.contract.sandbox_process import Sandbox
from tests.contract.told_kit import REFERENCE, Told, key, meant


def stripe_at(sandbox: Sandbox) -> StripeAccount:
    return StripeAccount(api_key="sk_test_rehearsal_stripe", base_url=f"{sandbox.url}/stripe", timeout_seconds=5)


async def pay(sandbox: Sandbox, method: str = "pm_card_visa", **more: Any) -> Payment:
    request = PaymentRequest(amount=2999, currency="usd", payment_method=method, description="Order o-1", metadata=REFERENCE, **more)
    return await stripe_at(sandbox).take_payment(request, key=key("payment"))


async def test_a_payment_is_told_as_it_was_answered(told: Told) -> None:
    payment = await pay(told.sandbox)

    await told.until(meant("payment", payment))


async def test_a_payment_that_waits_and_then_succeeds_is_told_as_it_was_answered(told: Told) -> None:
    payment = await pay(told.sandbox, "pm_card_authenticationRequired")
    await told.until(meant("payment", payment))

    await told.sandbox.customer_approves(payment.payment_id)

    await told.until(meant("payment", await stripe_at(told.sandbox).read_payment(payment.payment_id)))
    assert PaymentSettled in {type(fact) for fact in told.facts()}


async def test_a_declined_card_is_told_with_the_code_of_the_answer(told: Told) -> None:
    with pytest.raises(Refused) as refused:
        await pay(told.sandbox, "pm_card_chargeDeclinedInsufficientFunds")

    refusal = ORDER_STEPS["payment"].refused_means(1, refused.value)
    assert refusal is not None
    await told.until(refusal)


async def test_a_payment_that_settles_later_is_told_twice(told: Told) -> None:
    payment = await pay(told.sandbox, "pm_usBankAccount_processing", return_url="https://shop.example.com/return")
    await told.until(meant("payment", payment))

    await told.sandbox.world(f"stripe/payments/{payment.payment_id}/settle", succeeds=True)

    await told.until(lambda fact: isinstance(fact, PaymentSettled) and fact.amount == 2999)


async def test_a_canceled_payment_is_told(told: Told) -> None:
    payment = await pay(told.sandbox, "pm_card_authenticationRequired", return_url="https://shop.example.com/return")
    await stripe_at(told.sandbox).cancel_payment(CancelRequest(payment_id=payment.payment_id), key=key("expire-payment.1"))

    await told.until(PaymentCanceled(attempt=1, payment_id=payment.payment_id))


@pytest.mark.parametrize("method", ["pm_card_visa", "pm_card_pendingRefund"])
async def test_a_refund_of_ours_is_told_as_it_was_answered_and_by_its_charge(told: Told, method: str) -> None:
    payment = await pay(told.sandbox, method)
    request = RefundRequest(payment_id=payment.payment_id, amount=2999, currency="usd", metadata=REFERENCE)
    refund = await stripe_at(told.sandbox).refund_payment(request, key=key("refund"))

    await told.until(
        meant("refund", refund),
        RefundSettled(attempt=1, refund_id=refund.refund_id, amount=2999, currency="usd"),
        RefundedInAll(attempt=1, charge_id=payment.charge_id or "", amount=2999, currency="usd"),
    )


async def test_a_refund_by_hand_names_the_payment_and_may_fail(told: Told) -> None:
    payment = await pay(told.sandbox)
    refund = await told.sandbox.world(f"stripe/payments/{payment.payment_id}/refund", amount=500)
    await told.sandbox.world(f"stripe/refunds/{refund['id']}/fail")

    await told.until(RefundFailed(attempt=None, refund_id=refund["id"], code="expired_or_canceled_card"))
    settled = RefundSettled(attempt=None, refund_id=refund["id"], amount=500, currency="usd")
    assert [news.about for news in told.news() if settled in news.facts] == [Reference(provider="stripe", reference=payment.payment_id)]


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_a_dispute_is_told_from_its_beginning_to_its_end(told: Told, end: str) -> None:
    payment = await pay(told.sandbox)
    dispute = (await told.sandbox.world(f"stripe/payments/{payment.payment_id}/dispute"))["id"]
    await told.sandbox.world(f"stripe/disputes/{dispute}/close", status=end)

    money = {"charge_id": payment.charge_id or "", "reason": "fraudulent", "amount": 2999, "currency": "usd"}
    await told.until(
        DisputeOpened.model_validate({"attempt": None, "dispute_id": dispute, **money}),
        DisputeClosed(attempt=None, dispute_id=dispute, won=end == "won"),
    )
