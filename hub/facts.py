"""
What has happened to an order, a sign-up or a release, in our words.

What it means to the facets stands in ``hub.progress``, ``hub.signup_rows`` and ``hub.release_facets``.

A fact is recorded once: ``told_apart_by`` names what tells two facts of the same kind apart (a refund id, an attempt number), and a second
one with the same identity is nothing new. Nothing personal is in a fact: no mail address, no phone number, no customer's name.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hub.attention_facts import AttentionNeeded, CameOut, Forgotten, TakenUp, ToldByHand
from hub.message_facts import ButtonPressed, MessageMoved, Unwanted
from hub.parcel_facts import (
    Delivered,
    DeliveryFailed,
    InTransit,
    LabelBought,
    LabelRefused,
    LabelVoided,
    Packed,
    PickedUp,
    PickTicketCancelled,
    PickTicketKept,
    PickTicketRefused,
    PickTicketSent,
    PickupRefused,
    PickupScheduled,
    RateRefused,
    Returned,
    VoidRefused,
)
from hub.payment_facts import (
    DisputeClosed,
    DisputeOpened,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    RefundAsked,
    RefundDecided,
    RefundedInAll,
    RefundFailed,
    RefundPending,
    RefundSettled,
)
from hub.release_facts import DeploymentMade, DeploymentMarked, DeploymentMoved, DeploymentRefused, NewsMissing
from hub.signup_facts import (
    NotificationAccepted,
    NotificationRefused,
    ProfileCreated,
    ProfileRefused,
    ProfileRemoved,
    Recorded,
    StepMissed,
)
from hub.values import Frozen

__all__ = [
    "Announced",
    "AttentionNeeded",
    "ButtonPressed",
    "CameOut",
    "Delivered",
    "DeliveryFailed",
    "DeploymentMade",
    "DeploymentMarked",
    "DeploymentMoved",
    "DeploymentRefused",
    "DisputeClosed",
    "DisputeOpened",
    "Fact",
    "Forgotten",
    "InTransit",
    "LabelBought",
    "LabelRefused",
    "LabelVoided",
    "MessageMoved",
    "NewsMissing",
    "NotificationAccepted",
    "NotificationRefused",
    "Packed",
    "PaymentCanceled",
    "PaymentFailed",
    "PaymentProcessing",
    "PaymentSettled",
    "PaymentWaits",
    "PickTicketCancelled",
    "PickTicketKept",
    "PickTicketRefused",
    "PickTicketSent",
    "PickedUp",
    "PickupRefused",
    "PickupScheduled",
    "ProfileCreated",
    "ProfileRefused",
    "ProfileRemoved",
    "RateRefused",
    "Recorded",
    "RefundAsked",
    "RefundDecided",
    "RefundFailed",
    "RefundPending",
    "RefundSettled",
    "RefundedInAll",
    "Returned",
    "StepMissed",
    "StockReleased",
    "StockReserved",
    "StockShort",
    "TakenUp",
    "ToldByHand",
    "UndoBegun",
    "UndoFinished",
    "Unwanted",
    "VoidRefused",
    "identity_of",
    "of_attempt",
]


class StockReserved(Frozen):
    """The goods are set aside."""

    told_apart_by: ClassVar = ("attempt",)

    kind: Literal["stock reserved"] = "stock reserved"
    attempt: int


class StockShort(Frozen):
    """There is not enough of ``products``; nothing was set aside."""

    told_apart_by: ClassVar = ("attempt",)

    kind: Literal["out of stock"] = "out of stock"
    attempt: int
    products: tuple[str, ...]


class StockReleased(Frozen):
    """The goods are back on the shelf."""

    told_apart_by: ClassVar = ("attempt",)

    kind: Literal["stock released"] = "stock released"
    attempt: int


class Announced(Frozen):
    """The customer and the team were told that the order is on its way, as far as they could be."""

    told_apart_by: ClassVar = ()

    kind: Literal["announced"] = "announced"
    missed: tuple[str, ...] = ()


class UndoBegun(Frozen):
    """The order is being undone; ``because`` is for people, without personal data. ``by``: who wanted it; None: the hub decided."""

    told_apart_by: ClassVar = ()

    kind: Literal["undoing"] = "undoing"
    because: str
    by: str | None = None


class UndoFinished(Frozen):
    """Everything that was done for the order is undone; ``because`` is why that was begun."""

    told_apart_by: ClassVar = ()

    kind: Literal["undone"] = "undone"
    because: str = ""


Fact = Annotated[
    (
        StockReserved
        | StockShort
        | StockReleased
        | PaymentWaits
        | PaymentProcessing
        | PaymentSettled
        | PaymentFailed
        | PaymentCanceled
        | RefundAsked
        | RefundDecided
        | RefundPending
        | RefundSettled
        | RefundFailed
        | RefundedInAll
        | DisputeOpened
        | DisputeClosed
        | LabelBought
        | LabelRefused
        | RateRefused
        | LabelVoided
        | VoidRefused
        | Announced
        | PickTicketSent
        | PickTicketRefused
        | PickTicketCancelled
        | PickTicketKept
        | Packed
        | PickupScheduled
        | PickupRefused
        | PickedUp
        | InTransit
        | Delivered
        | Returned
        | DeliveryFailed
        | MessageMoved
        | Unwanted
        | ButtonPressed
        | DeploymentMade
        | DeploymentRefused
        | DeploymentMoved
        | NewsMissing
        | DeploymentMarked
        | UndoBegun
        | UndoFinished
        | AttentionNeeded
        | ToldByHand
        | CameOut
        | TakenUp
        | Forgotten
        | ProfileCreated
        | ProfileRefused
        | ProfileRemoved
        | NotificationAccepted
        | NotificationRefused
        | StepMissed
        | Recorded
    ),
    Field(discriminator="kind"),
]


def identity_of(fact: Fact) -> str:
    """Return what tells ``fact`` apart from others of its kind about the same subject."""
    values = (getattr(fact, name) for name in fact.told_apart_by)
    return ":".join(str(value) for value in values if value is not None)


def of_attempt(fact: Fact, attempt: int) -> Fact:
    """Return ``fact`` as one about this attempt's payment, if nobody knew so far which one it is about."""
    if getattr(fact, "attempt", attempt) is None:
        return fact.model_copy(update={"attempt": attempt})
    return fact
