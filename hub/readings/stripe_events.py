"""
What Stripe's events mean.

Our reference is in the metadata of PaymentIntents, of their charges (Stripe copies it there) and of refunds that we made. Disputes, and
refunds made by hand, name the PaymentIntent alone.

Source: https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from hub.facts import (
    DisputeClosed,
    DisputeOpened,
    Fact,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    RefundedInAll,
    RefundFailed,
    RefundPending,
    RefundSettled,
)
from hub.payments import NextAction, RefundStatus
from hub.provider_words import STRIPE_REFUND_STATES
from hub.readings.news import Address, Amount, Currency, Foreign, Id, Line, Metadata, News, Ours, Reference, Unreadable, plain
from hub.readings.registry import ignores, reads

PROVIDER = "stripe"
NO_METADATA = Metadata()

Thing = TypeVar("Thing", bound=Foreign)


class _Data(Foreign, Generic[Thing]):
    object: Thing


class _Event(Foreign, Generic[Thing]):
    data: _Data[Thing]


class _Redirect(Foreign):
    url: Line | None = None


class _NextAction(Foreign):
    type: Line
    redirect_to_url: _Redirect | None = None


class _Problem(Foreign):
    code: str | None = None
    decline_code: str | None = None


class _Intent(Foreign):
    object: Literal["payment_intent"]
    id: Id
    amount_received: Amount
    currency: Currency
    latest_charge: Id | None = None
    next_action: _NextAction | None = None
    last_payment_error: _Problem | None = None
    metadata: Metadata = NO_METADATA


class _Charge(Foreign):
    object: Literal["charge"]
    id: Id
    payment_intent: Id | None = None
    amount_refunded: Amount
    currency: Currency
    metadata: Metadata = NO_METADATA


class _Refund(Foreign):
    object: Literal["refund"]
    id: Id
    payment_intent: Id | None = None
    amount: Amount
    currency: Currency
    status: str
    failure_reason: str | None = None
    metadata: Metadata | None = None


class _Dispute(Foreign):
    object: Literal["dispute"]
    id: Id
    charge: Id
    payment_intent: Id | None = None
    amount: Amount
    currency: Currency
    reason: str
    status: str


def _intent_of_ours(event: dict[str, Any]) -> tuple[_Intent, Ours | None]:
    """Return the payment, and its effect unless another system that shares the Stripe account has made it."""
    intent = _Event[_Intent].model_validate(event).data.object
    return intent, intent.metadata.ours


@reads(PROVIDER, "payment_intent.succeeded")
def payment_settled(event: dict[str, Any]) -> News | None:
    """The customer has paid; the amount is what has really come in."""
    intent, ours = _intent_of_ours(event)
    if ours is None:
        return None
    fact = PaymentSettled(
        attempt=ours.attempt,
        payment_id=intent.id,
        charge_id=intent.latest_charge,
        amount=intent.amount_received,
        currency=intent.currency,
    )
    return News(about=ours.about, facts=(fact,))


@reads(PROVIDER, "payment_intent.payment_failed")
def payment_failed(event: dict[str, Any]) -> News | None:
    """The card was declined, or the customer did not pass the check; the code is the one that the API's answer carries."""
    intent, ours = _intent_of_ours(event)
    if ours is None:
        return None
    problem = intent.last_payment_error or _Problem()
    code = plain(problem.decline_code or problem.code, "card_declined")
    return News(about=ours.about, facts=(PaymentFailed(attempt=ours.attempt, payment_id=intent.id, code=code),))


@reads(PROVIDER, "payment_intent.requires_action")
def payment_waits(event: dict[str, Any]) -> News | None:
    """The customer has to do something."""
    intent, ours = _intent_of_ours(event)
    if ours is None:
        return None
    said = intent.next_action
    action = NextAction(type="unknown")
    if said is not None:
        action = NextAction(type=said.type, url=said.redirect_to_url and said.redirect_to_url.url)
    return News(about=ours.about, facts=(PaymentWaits(attempt=ours.attempt, payment_id=intent.id, next_action=action),))


@reads(PROVIDER, "payment_intent.processing")
def payment_processing(event: dict[str, Any]) -> News | None:
    """The bank takes its time."""
    intent, ours = _intent_of_ours(event)
    return ours and News(about=ours.about, facts=(PaymentProcessing(attempt=ours.attempt, payment_id=intent.id),))


@reads(PROVIDER, "payment_intent.canceled")
def payment_canceled(event: dict[str, Any]) -> News | None:
    """Nobody can pay this payment any more."""
    intent, ours = _intent_of_ours(event)
    return ours and News(about=ours.about, facts=(PaymentCanceled(attempt=ours.attempt, payment_id=intent.id),))


@reads(PROVIDER, "charge.refunded")
def refunded_in_all(event: dict[str, Any]) -> News | None:
    """How much of a charge has gone back so far, by whomever."""
    charge = _Event[_Charge].model_validate(event).data.object
    about, attempt = _payment_behind(charge.metadata, charge.payment_intent)
    fact = RefundedInAll(attempt=attempt, charge_id=charge.id, amount=charge.amount_refunded, currency=charge.currency)
    return None if about is None else News(about=about, facts=(fact,))


@reads(PROVIDER, "refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
def refund_moved(event: dict[str, Any]) -> News | None:
    """A refund is under way, has arrived or has failed; ours or one made by hand."""
    refund = _Event[_Refund].model_validate(event).data.object
    about, attempt = _payment_behind(refund.metadata or NO_METADATA, refund.payment_intent)
    match STRIPE_REFUND_STATES.get(refund.status):
        case RefundStatus.PENDING:
            fact: Fact = RefundPending(attempt=attempt, refund_id=refund.id, amount=refund.amount, currency=refund.currency)
        case RefundStatus.SUCCEEDED:
            fact = RefundSettled(attempt=attempt, refund_id=refund.id, amount=refund.amount, currency=refund.currency)
        case RefundStatus.FAILED:
            fact = RefundFailed(attempt=attempt, refund_id=refund.id, code=plain(refund.failure_reason, refund.status))
        case None:
            raise Unreadable("the refund is in a state we have no word for")
    return None if about is None else News(about=about, facts=(fact,))


def _payment_behind(metadata: Metadata, payment_id: str | None) -> tuple[Address | Reference | None, int | None]:
    """Return what leads to the payment, and its attempt if that is known; (None, None) for a charge without a PaymentIntent, never ours."""
    if (ours := metadata.ours) is not None:
        return ours.about, ours.attempt
    return None if payment_id is None else Reference(provider=PROVIDER, reference=payment_id), None


@reads(PROVIDER, "charge.dispute.created")
def dispute_opened(event: dict[str, Any]) -> News:
    """The customer's bank wants the money back, or asks what it was for."""
    dispute = _Event[_Dispute].model_validate(event).data.object
    fact = DisputeOpened(
        attempt=None,
        dispute_id=dispute.id,
        charge_id=dispute.charge,
        reason=plain(dispute.reason, "general"),
        amount=dispute.amount,
        currency=dispute.currency,
    )
    return News(about=_disputed(dispute), facts=(fact,))


DISPUTE_ENDS = {"won": True, "warning_closed": True, "prevented": True, "lost": False}
"""Whether the money stays with us. Source: https://docs.stripe.com/api/disputes/object#dispute_object-status"""


@reads(PROVIDER, "charge.dispute.closed")
def dispute_closed(event: dict[str, Any]) -> News:
    """The bank has decided; an inquiry that comes to nothing is won."""
    dispute = _Event[_Dispute].model_validate(event).data.object
    if dispute.status not in DISPUTE_ENDS:
        raise Unreadable("the dispute has ended in a way we have no word for")
    fact = DisputeClosed(attempt=None, dispute_id=dispute.id, won=DISPUTE_ENDS[dispute.status])
    return News(about=_disputed(dispute), facts=(fact,))


def _disputed(dispute: _Dispute) -> Reference:
    return Reference(provider=PROVIDER, reference=dispute.payment_intent or dispute.charge)


ignores(
    PROVIDER,
    "charge.captured",
    "charge.failed",
    "charge.pending",
    "charge.succeeded",
    "charge.updated",
    "payment_intent.created",
    because="the PaymentIntent's own events say the same, with our reference and the amount",
)
ignores(
    PROVIDER,
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    because="a dispute counts when it is opened and when it is decided; in between people deal with it at Stripe",
)
