"""
What Shippo's events mean. Our reference is the ``metadata`` text of a purchase: the effect key behind the first digits of the hub's id.

Source: https://docs.goshippo.com/docs/tracking/webhooks
"""

from __future__ import annotations

from typing import Any, Literal

from hub.facts import Delivered, DeliveryFailed, Fact, InTransit, LabelBought, LabelVoided, Returned, VoidRefused
from hub.parcel_facts import purchase_refused
from hub.provider_words import CARRIER_REFUSALS
from hub.readings.news import Address, Foreign, Id, Line, News, Reference, Unreadable, effect_in, plain
from hub.readings.registry import reads

PROVIDER = "shippo"


class _Message(Foreign):
    code: str | None = None


class _Purchase(Foreign):
    object_id: Id
    status: Literal["WAITING", "QUEUED", "SUCCESS", "ERROR", "REFUNDED", "REFUNDPENDING", "REFUNDREJECTED"]
    metadata: str | None = None
    tracking_number: Line | None = None
    messages: list[_Message] | None = None


class _LabelEvent(Foreign):
    data: _Purchase


class _Substatus(Foreign):
    code: str | None = None


class _Where(Foreign):
    status: Literal["UNKNOWN", "PRE_TRANSIT", "TRANSIT", "DELIVERED", "RETURNED", "FAILURE"]
    substatus: _Substatus | str | None = None

    @property
    def code(self) -> str:
        """Why a delivery failed, as far as the carrier says."""
        return plain(self.substatus.code if isinstance(self.substatus, _Substatus) else self.substatus, "failure")


class _Track(Foreign):
    tracking_number: Id
    tracking_status: _Where | None
    metadata: str | None = None
    transaction: Id | None = None


class _TrackEvent(Foreign):
    data: _Track


@reads(PROVIDER, "transaction_created", "transaction_updated")
def label_moved(event: dict[str, Any]) -> News | None:
    """
    A label was bought or refused, or given back, which its carrier takes or not.

    Nothing follows from a purchase that is still under way, nor from a failed one whose code is not listed: the answer to our call says so,
    too, and an operator looks. A label that we want to give back counts when the carrier has taken it.
    """
    purchase = _LabelEvent.model_validate(event).data
    if (ours := effect_in(purchase.metadata)) is None:
        return None
    fact: Fact | None = None
    match purchase.status:
        case "SUCCESS":
            if not purchase.tracking_number:
                raise Unreadable("a label without a tracking number")
            fact = LabelBought(label_id=purchase.object_id, tracking_number=purchase.tracking_number)
        case "ERROR":
            refusal = next((message.code for message in purchase.messages or () if message.code in CARRIER_REFUSALS), None)
            fact = None if refusal is None else purchase_refused(ours.attempt, refusal, purchase.object_id)
        case "REFUNDED":
            fact = LabelVoided(label_id=purchase.object_id)
        case "REFUNDREJECTED":
            fact = VoidRefused(label_id=purchase.object_id)
        case "WAITING" | "QUEUED" | "REFUNDPENDING":
            pass
    return None if fact is None else News(about=ours.about, facts=(fact,))


@reads(PROVIDER, "track_updated")
def parcel_moved(event: dict[str, Any]) -> News | None:
    """The parcel has got so far. That the carrier does not have it yet, or does not know it, is no news."""
    track = _TrackEvent.model_validate(event).data
    if track.tracking_status is None:
        return None
    number = track.tracking_number
    match track.tracking_status.status:
        case "TRANSIT":
            fact: Fact = InTransit(tracking_number=number)
        case "DELIVERED":
            fact = Delivered(tracking_number=number)
        case "RETURNED":
            fact = Returned(tracking_number=number)
        case "FAILURE":
            fact = DeliveryFailed(tracking_number=number, code=track.tracking_status.code)
        case "UNKNOWN" | "PRE_TRANSIT":
            return None
    return News(about=_tracked(track), facts=(fact,))


def _tracked(track: _Track) -> Address | Reference:
    """Return our reference, else the label's id at Shippo, else the number on the parcel: the first that there is."""
    if (ours := effect_in(track.metadata)) is not None:
        return ours.about
    return Reference(provider=PROVIDER, reference=track.transaction or f"tracking:{track.tracking_number}")
