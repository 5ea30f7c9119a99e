"""What has happened to the parcel, in our words; like all facts, recorded once."""

from __future__ import annotations

from typing import ClassVar, Literal

from hub.provider_words import RATE_REFUSALS
from hub.values import Frozen


class LabelBought(Frozen):
    """The carrier has sold us a label."""

    told_apart_by: ClassVar = ("label_id",)

    kind: Literal["label bought"] = "label bought"
    label_id: str
    tracking_number: str


class LabelRefused(Frozen):
    """No carrier takes this parcel; ``code`` is the carrier's or ours."""

    told_apart_by: ClassVar = ("attempt",)

    kind: Literal["label refused"] = "label refused"
    attempt: int
    code: str


class RateRefused(Frozen):
    """One carrier sells us no label; another may. ``purchase_id`` is the failed purchase's, ``code`` the carrier's."""

    told_apart_by: ClassVar = ("purchase_id",)

    kind: Literal["rate refused"] = "rate refused"
    purchase_id: str | None
    code: str


class LabelVoided(Frozen):
    """The label was given back to the carrier and is worth nothing any more."""

    told_apart_by: ClassVar = ("label_id",)

    kind: Literal["label voided"] = "label voided"
    label_id: str


class VoidRefused(Frozen):
    """The carrier does not take the label back: it holds that it was used."""

    told_apart_by: ClassVar = ("label_id",)

    kind: Literal["void refused"] = "void refused"
    label_id: str


class PickTicketSent(Frozen):
    """The warehouse has been told what to pack."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick ticket sent"] = "pick ticket sent"


class PickTicketRefused(Frozen):
    """The warehouse cannot pack what it was told to; ``code`` is its own."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick ticket refused"] = "pick ticket refused"
    code: str


class PickTicketCancelled(Frozen):
    """The warehouse keeps the parcel back."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick ticket cancelled"] = "pick ticket cancelled"


class PickTicketKept(Frozen):
    """The warehouse cannot keep the parcel back any more; ``code`` is its own."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick ticket kept"] = "pick ticket kept"
    code: str


class PickupScheduled(Frozen):
    """The carrier comes for the parcel; ``confirmation`` is what it calls that, where it says so at once."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick-up scheduled"] = "pick-up scheduled"
    confirmation: str | None


class PickupRefused(Frozen):
    """The carrier does not come for the parcel."""

    told_apart_by: ClassVar = ()

    kind: Literal["pick-up refused"] = "pick-up refused"
    code: str


class Packed(Frozen):
    """The warehouse has packed the parcel."""

    told_apart_by: ClassVar = ()

    kind: Literal["packed"] = "packed"


class PickedUp(Frozen):
    """The warehouse says that the carrier has taken the parcel along."""

    told_apart_by: ClassVar = ()

    kind: Literal["picked up"] = "picked up"


class InTransit(Frozen):
    """The carrier says that the parcel is on its way. ``tracking_number`` here and below is None where the teller has none."""

    told_apart_by: ClassVar = ("tracking_number",)

    kind: Literal["in transit"] = "in transit"
    tracking_number: str | None = None


class Delivered(Frozen):
    """The parcel has arrived."""

    told_apart_by: ClassVar = ("tracking_number",)

    kind: Literal["delivered"] = "delivered"
    tracking_number: str | None = None


class Returned(Frozen):
    """The parcel is on its way back to us, or here again."""

    told_apart_by: ClassVar = ("tracking_number",)

    kind: Literal["returned"] = "returned"
    tracking_number: str | None = None


class DeliveryFailed(Frozen):
    """Something is wrong with the delivery, and the carrier does not say that it goes on; ``code`` is the carrier's."""

    told_apart_by: ClassVar = ("tracking_number",)

    kind: Literal["delivery failed"] = "delivery failed"
    tracking_number: str | None = None
    code: str


def purchase_refused(attempt: int, code: str, purchase_id: str | None) -> LabelRefused | RateRefused:
    """Return the fact that a refused purchase is: another carrier may sell the label, or none takes the parcel."""
    if code in RATE_REFUSALS:
        return RateRefused(purchase_id=purchase_id, code=code)
    return LabelRefused(attempt=attempt, code=code)
