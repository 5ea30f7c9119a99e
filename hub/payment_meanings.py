"""What the answers of the payment provider mean, whoever has asked: the effect's state, its reference, and the fact that follows."""

from __future__ import annotations

from functools import partial
from typing import Any

from hub.errors import Refused
from hub.facts import (
    Fact,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    RefundFailed,
    RefundPending,
    RefundSettled,
)
from hub.payments import NextAction, Payment, PaymentStatus, Refund, RefundRequest, RefundStatus
from hub.policies import PAYMENT
from hub.steps import EffectState, Outcome, Step


def payment_means(attempt: int, payment: Payment) -> Outcome:
    """Return what a payment in this status means."""
    payment_id = payment.payment_id
    match payment.status:
        case PaymentStatus.SUCCEEDED:
            fact: Fact = PaymentSettled(
                attempt=attempt, payment_id=payment_id, charge_id=payment.charge_id, amount=payment.amount, currency=payment.currency
            )
            return Outcome(EffectState.DONE, payment_id, fact)
        case PaymentStatus.NEEDS_CUSTOMER:
            action = payment.next_action or NextAction(type="unknown")
            return Outcome(EffectState.PENDING, payment_id, PaymentWaits(attempt=attempt, payment_id=payment_id, next_action=action))
        case PaymentStatus.PROCESSING:
            return Outcome(EffectState.PENDING, payment_id, PaymentProcessing(attempt=attempt, payment_id=payment_id))
        case PaymentStatus.CANCELED:
            fact = PaymentCanceled(attempt=attempt, payment_id=payment_id)
            return Outcome(EffectState.REFUSED, payment_id, fact, code="canceled")
        case PaymentStatus.FAILED:
            fact = PaymentFailed(attempt=attempt, payment_id=payment_id, code="payment_failed")
            return Outcome(EffectState.REFUSED, payment_id, fact, code="payment_failed")


def expiry_means(attempt: int, payment: Payment) -> Outcome:
    """Return what calling an unfinished payment off means: it is gone; or it turns out to have moved on, and then it counts."""
    return Outcome(EffectState.DONE, payment.payment_id, payment_means(attempt, payment).fact)


def refund_means(attempt: int, refund: Refund) -> Outcome:
    """Return what a refund in this status means."""
    if refund.status is RefundStatus.SUCCEEDED:
        settled = RefundSettled(attempt=attempt, refund_id=refund.refund_id, amount=refund.amount, currency=refund.currency)
        return Outcome(EffectState.DONE, refund.refund_id, settled)
    if refund.status is RefundStatus.PENDING:
        pending = RefundPending(attempt=attempt, refund_id=refund.refund_id, amount=refund.amount, currency=refund.currency)
        return Outcome(EffectState.PENDING, refund.refund_id, pending)
    failed = RefundFailed(attempt=attempt, refund_id=refund.refund_id, code="refund_failed")
    return Outcome(EffectState.REFUSED, refund.refund_id, failed, code=failed.code)


def refunded_by_hand(request: dict[str, Any], refund_id: str) -> Refund:
    """Return what a person says who has given the money back at the provider, or in some other way."""
    asked = RefundRequest.model_validate(request)
    return Refund(
        refund_id=refund_id, payment_id=asked.payment_id, status=RefundStatus.SUCCEEDED, amount=asked.amount, currency=asked.currency
    )


refund_step = partial(
    Step, provider="stripe", action="refund the payment", policy=PAYMENT, result=Refund, means=refund_means, by_hand=refunded_by_hand
)
"""The step of giving money back, but for its name, when it may be done, and what else a process knows of it."""


def payment_refused(attempt: int, refusal: Refused) -> Fact:
    """Return the fact that follows when the provider says no."""
    return PaymentFailed(attempt=attempt, payment_id=refusal.reference, code=refusal.code)
