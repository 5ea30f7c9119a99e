"""What a callback's fact says about the effect that caused it: the outcome and result that the call's own answer would have left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.deploying import Deployment
from hub.facts import (
    DeploymentMoved,
    Fact,
    LabelBought,
    LabelRefused,
    LabelVoided,
    MessageMoved,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    RateRefused,
    RefundFailed,
    RefundPending,
    RefundSettled,
    VoidRefused,
)
from hub.message_facts import Delivery
from hub.messages import SentMail, SentText
from hub.parcels import Label, Void, VoidStatus
from hub.payments import Payment, PaymentStatus, Refund, RefundStatus
from hub.steps import EffectState

if TYPE_CHECKING:
    from hub.tables import EffectRow
    from hub.values import Frozen


@dataclass(frozen=True)
class Told:
    """
    What a provider has told about one effect, as its row keeps it.

    ``result``: what ``once`` gives to the next run that asks; None leaves what is there.
    """

    state: EffectState
    reference: str | None
    result: Frozen | None = None
    code: str | None = None
    delivery: Delivery | None = None


def told_by(fact: Fact, effect: EffectRow) -> Told | None:
    """Return what ``fact`` says about the effect that its provider named, or None when it says nothing about that kind of step."""
    step = effect.step.partition(".")[0]
    match step, fact:
        case "payment", PaymentSettled() | PaymentWaits() | PaymentProcessing() | PaymentFailed() | PaymentCanceled():
            return _payment(fact, effect)
        case "refund" | "late-refund", RefundPending() | RefundSettled() | RefundFailed():
            return _refund(fact, effect)
        case "label", LabelBought() | LabelRefused() | RateRefused() | LabelVoided():
            return _label(fact)
        case "void", LabelVoided():
            return Told(EffectState.DONE, fact.label_id, Void(label_id=fact.label_id, status=VoidStatus.SUCCEEDED))
        case "void", VoidRefused():
            return Told(EffectState.REFUSED, fact.label_id, code="void_refused")
        case "deployment", DeploymentMoved():
            return Told(EffectState.DONE, str(fact.deployment_id), Deployment(deployment_id=fact.deployment_id))
        case _, MessageMoved():
            return _message(fact)
        case _:
            return None


def _payment(fact: PaymentSettled | PaymentWaits | PaymentProcessing | PaymentFailed | PaymentCanceled, effect: EffectRow) -> Told:
    def payment(status: PaymentStatus, **more: Any) -> Payment:
        asked = effect.request
        return Payment(payment_id=fact.payment_id or "", status=status, amount=asked["amount"], currency=asked["currency"], **more)

    match fact:
        case PaymentSettled():
            return Told(EffectState.DONE, fact.payment_id, payment(PaymentStatus.SUCCEEDED, charge_id=fact.charge_id))
        case PaymentWaits():
            return Told(EffectState.PENDING, fact.payment_id, payment(PaymentStatus.NEEDS_CUSTOMER, next_action=fact.next_action))
        case PaymentProcessing():
            return Told(EffectState.PENDING, fact.payment_id, payment(PaymentStatus.PROCESSING))
        case PaymentFailed():
            return Told(EffectState.REFUSED, fact.payment_id, code=fact.code)
        case PaymentCanceled():
            return Told(EffectState.REFUSED, fact.payment_id, code="canceled")


def _refund(fact: RefundPending | RefundSettled | RefundFailed, effect: EffectRow) -> Told:
    if isinstance(fact, RefundFailed):
        return Told(EffectState.REFUSED, fact.refund_id, code=fact.code)
    settled = isinstance(fact, RefundSettled)
    refund = Refund(
        refund_id=fact.refund_id,
        payment_id=effect.request["payment_id"],
        status=RefundStatus.SUCCEEDED if settled else RefundStatus.PENDING,
        amount=fact.amount,
        currency=fact.currency,
    )
    return Told(EffectState.DONE if settled else EffectState.PENDING, fact.refund_id, refund)


def _label(fact: LabelBought | LabelRefused | RateRefused | LabelVoided) -> Told:
    match fact:
        case LabelBought():
            return Told(EffectState.DONE, fact.label_id, Label(label_id=fact.label_id, tracking_number=fact.tracking_number))
        case LabelRefused() | RateRefused():
            return Told(EffectState.REFUSED, None, code=fact.code)
        case LabelVoided():
            return Told(EffectState.UNDONE, fact.label_id)


def _message(fact: MessageMoved) -> Told:
    """Whatever becomes of a message, the provider has taken it on; its row is done, and ``delivery`` says the rest."""
    message_id = fact.message_id or ""
    result = SentMail(message_id=message_id) if fact.channel == "mail" else SentText(sid=message_id, status=fact.delivery)
    return Told(EffectState.DONE, fact.message_id, result, delivery=fact.delivery)
