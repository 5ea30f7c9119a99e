"""What Stripe's objects say, checked before anybody believes it, in our types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from blocks.translation import Answer, Call
from hub.payments import NextAction, Payment, PaymentRequest, PaymentStatus, Refund, RefundRequest
from hub.provider_words import STRIPE_REFUND_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

State = TypeVar("State")
PAYMENT_STATES: Mapping[str, PaymentStatus] = {
    "succeeded": PaymentStatus.SUCCEEDED,
    "requires_action": PaymentStatus.NEEDS_CUSTOMER,
    "processing": PaymentStatus.PROCESSING,
    "canceled": PaymentStatus.CANCELED,
    "requires_payment_method": PaymentStatus.FAILED,
    "requires_confirmation": PaymentStatus.FAILED,
}
"""``requires_capture`` is missing on purpose: we never ask for it. Source: https://docs.stripe.com/payments/paymentintents/lifecycle"""


class _Redirect(Answer):
    url: str | None = None


class _NextAction(Answer):
    type: str
    redirect_to_url: _Redirect | None = None


class _Intent(Answer):
    object: Literal["payment_intent"]
    id: str
    amount: int
    amount_received: int | None = None
    currency: str
    status: str
    latest_charge: str | None = None
    next_action: _NextAction | None = None


class _Refund(Answer):
    object: Literal["refund"]
    id: str
    amount: int
    currency: str
    status: str
    payment_intent: str


def payment_from(call: Call, said: dict[str, Any], asked: PaymentRequest | None = None) -> Payment:
    """
    Return the payment that Stripe describes; every number is Stripe's.

    Raises:
        OutcomeUnknown: It is not the amount or currency that was asked for, or a state we do not know.
        ValueError: Not a payment at all.
    """
    intent = _Intent.model_validate(said)
    action = intent.next_action
    payment = Payment(
        payment_id=intent.id,
        charge_id=intent.latest_charge,
        status=_known(call, PAYMENT_STATES, intent.status),
        amount=intent.amount,
        currency=intent.currency,
        next_action=action and NextAction(type=action.type, url=action.redirect_to_url and action.redirect_to_url.url),
    )
    received = intent.amount if intent.amount_received is None else intent.amount_received
    if payment.status is PaymentStatus.SUCCEEDED and received != intent.amount:
        raise call.unknown("the payment carries another amount than was asked for", same_key_is_useless=True)
    if asked is not None:
        _same_money(call, payment, asked)
    return payment


def refund_from(call: Call, said: dict[str, Any], asked: RefundRequest | None = None) -> Refund:
    """
    Return the refund that Stripe describes; every number is Stripe's.

    Raises:
        OutcomeUnknown: It is not the amount or currency that was asked for, or a state we do not know.
        ValueError: Not a refund at all.
    """
    answer = _Refund.model_validate(said)
    refund = Refund(
        refund_id=answer.id,
        payment_id=answer.payment_intent,
        status=_known(call, STRIPE_REFUND_STATES, answer.status),
        amount=answer.amount,
        currency=answer.currency,
    )
    if asked is not None:
        _same_money(call, refund, asked)
    return refund


def _known(call: Call, states: Mapping[str, State], status: str) -> State:
    if status not in states:
        raise call.unknown("a state we do not know", status)
    return states[status]


def _same_money(call: Call, got: Payment | Refund, asked: PaymentRequest | RefundRequest) -> None:
    if (got.amount, got.currency.lower()) != (asked.amount, asked.currency.lower()):
        raise call.unknown("the answer carries another amount or currency than was asked for", same_key_is_useless=True)
