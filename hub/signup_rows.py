"""A sign-up's row: how a fact changes it, and how it becomes a snapshot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hub.facets import HoldFacet, forward
from hub.facts import (
    Fact,
    MessageMoved,
    NotificationAccepted,
    NotificationRefused,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    ProfileCreated,
    ProfileRefused,
    ProfileRemoved,
    Recorded,
    RefundSettled,
    StepMissed,
    UndoBegun,
    UndoFinished,
)
from hub.message_facts import Delivery
from hub.notification_types import GREETINGS
from hub.payments import NextAction
from hub.progress import attention_for
from hub.signup_facets import CALLED_OFF, SignupFacets, SignupStatus, StepName, StepOutcome, report
from hub.signup_tables import SignupRow
from hub.signups import Notification, Signup, SignupRequest
from hub.subjects import Moved

STEPS_OF_MESSAGES: dict[str, StepName] = {what.step: greeting for greeting, what in GREETINGS.items()}
_STEPS: tuple[StepName, ...] = ("profile", "payment", "welcome", "confirmation", "verification", "records")
_MESSAGES = {
    SignupStatus.IN_PROGRESS: "in progress",
    SignupStatus.COMPLETE: "everything that was asked for has happened",
}


class NoSuchSignup(Exception):
    """There is no sign-up with this id."""

    def __init__(self, signup_id: str) -> None:
        super().__init__(signup_id)
        self.signup_id = signup_id

    def __str__(self) -> str:
        return f"there is no sign-up {self.signup_id}; place it first"


def facets_of(row: SignupRow) -> SignupFacets:
    """Return the facets that stand in the row's columns."""
    return SignupFacets(**{step: StepOutcome(getattr(row, step)) for step in _STEPS}, hold=HoldFacet(row.hold), codes=row.codes)


def write_facets(row: SignupRow, facets: SignupFacets) -> None:
    """Put ``facets`` and the report that follows from them into the row."""
    for step in _STEPS:
        setattr(row, step, facets.of(step))
    row.hold, row.codes = facets.hold, facets.codes
    said = report(facets, critical_of(row))
    row.status = said.status
    row.message = "; ".join(said.errors) or _MESSAGES.get(said.status, said.status.lower())
    if row.attention is not None:
        row.message = f"needs attention: {row.attention}"


def critical_of(row: SignupRow) -> Any:
    """Return the steps without which this sign-up fails."""
    return tuple(row.critical)


def move(row: SignupRow, fact: Fact) -> Moved:
    """Take a new fact in: the facets, the status, and what people ask for first."""
    before, reason = facets_of(row), attention_for(fact, row.id)
    facets = after(before, fact)
    row.attention = reason or row.attention
    note(row, fact, facets)
    write_facets(row, facets)
    waits = isinstance(fact, PaymentWaits | PaymentProcessing)
    to_do = reason is not None or facets.hold is HoldFacet.UNDOING or (facets != before and not waits)
    return Moved(changed=facets != before, to_do=to_do)


def after(facets: SignupFacets, fact: Fact) -> SignupFacets:
    """Return the facets once ``fact``, heard for the first time, is taken in; pure, and each facet only moves forward."""
    match fact:
        case UndoBegun():
            return facets.model_copy(update={"hold": forward(facets.hold, HoldFacet.UNDOING)})
        case UndoFinished():
            return facets.model_copy(update={"hold": forward(facets.hold, HoldFacet.UNDONE)})
        case RefundSettled() if facets.hold is HoldFacet.NONE:
            return facets  # money that a person gave back; the registration stands
    news = _news_of(fact)
    if news is None:
        return facets
    step, outcome, code = news
    if forward(facets.of(step), outcome) is facets.of(step):
        return facets
    codes = {name: known for name, known in facets.codes.items() if name != step} | ({step: code} if code else {})
    return facets.model_copy(update={step: outcome, "codes": codes})


def _news_of(fact: Fact) -> tuple[StepName, StepOutcome, str | None] | None:  # noqa: PLR0911 - one line per fact
    """Return the step that ``fact`` is about, what came of it, and why it was refused; None for what says nothing about a step."""
    match fact:
        case ProfileCreated():
            return "profile", StepOutcome.OK, None
        case ProfileRefused():
            return "profile", StepOutcome.REFUSED, fact.code
        case ProfileRemoved():
            return "profile", StepOutcome.UNDONE, None
        case PaymentSettled():
            return "payment", StepOutcome.OK, None
        case PaymentWaits() | PaymentProcessing():
            return "payment", StepOutcome.WAITS, None
        case PaymentFailed():
            return "payment", StepOutcome.REFUSED, fact.code
        case PaymentCanceled():
            return "payment", StepOutcome.REFUSED, CALLED_OFF
        case RefundSettled():
            return "payment", StepOutcome.UNDONE, None
        case NotificationAccepted():
            return fact.notification, StepOutcome.OK, None
        case NotificationRefused():
            return fact.notification, StepOutcome.REFUSED, fact.code
        case MessageMoved() if fact.step in STEPS_OF_MESSAGES:
            failed = fact.delivery is Delivery.FAILED
            return STEPS_OF_MESSAGES[fact.step], StepOutcome.UNDELIVERED if failed else StepOutcome.OK, fact.code
        case StepMissed():
            return fact.step, StepOutcome(fact.outcome), None if fact.http_status is None else f"http_{fact.http_status}"
        case Recorded():
            return "records", StepOutcome.OK, None
        case _:
            return None


def note(row: SignupRow, fact: Fact, facets: SignupFacets) -> None:
    """Write what people ask for first into columns of its own: ids, what the customer has to do, how far each message is."""
    match fact:
        case ProfileCreated():
            row.user_id = fact.profile_id
        case PaymentWaits():
            row.payment_id, row.next_action = fact.payment_id, fact.next_action.model_dump()
        case PaymentProcessing() | PaymentCanceled() | PaymentSettled():
            row.payment_id = fact.payment_id
        case PaymentFailed():
            row.payment_id = fact.payment_id or row.payment_id
        case NotificationAccepted():
            _message_is(row, fact.notification, fact.message_id, Delivery.ACCEPTED)
        case MessageMoved() if fact.step in STEPS_OF_MESSAGES:
            _message_is(row, STEPS_OF_MESSAGES[fact.step], fact.message_id, fact.delivery)
    if facets.payment is not StepOutcome.WAITS:
        row.next_action = None


def _message_is(row: SignupRow, notification: StepName, message_id: str | None, delivery: Delivery) -> None:
    known = row.notifications.get(notification)
    if known is None:
        told = Notification(notification_id=message_id or "", delivery=delivery)
    else:
        before = Notification.model_validate(known)
        told = Notification(notification_id=before.notification_id or message_id or "", delivery=forward(before.delivery, delivery))
    row.notifications = row.notifications | {notification: told.model_dump(mode="json")}


def snapshot(row: SignupRow, hub_id: UUID, run_id: str, **more: Any) -> Signup:
    """Return the row as the frozen value that a run works with."""
    return Signup(
        id=row.id,
        hub_id=hub_id,
        correlation_id=row.correlation_id,
        request=SignupRequest.model_validate(row.request),
        critical=critical_of(row),
        payment_method=row.payment_method,
        attempt=row.attempt,
        epoch=row.epoch,
        fence=row.fence,
        run_id=run_id,
        facets=facets_of(row),
        user_id=row.user_id,
        payment_id=row.payment_id,
        next_action=NextAction.model_validate(row.next_action) if row.next_action else None,
        notifications={step: Notification.model_validate(told) for step, told in row.notifications.items()},
        attention=row.attention,
        message=row.message,
        **more,
    )
