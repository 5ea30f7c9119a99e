"""
What a fact means to an order's facets, and whether a person has to look.

Both are pure, and the order in which facts arrive makes no difference to where it ends.
"""

from __future__ import annotations

from hub.facets import DisputeFacet, Facets, HoldFacet, ParcelFacet, PaymentFacet, StockFacet, forward, rank
from hub.facts import (
    Announced,
    AttentionNeeded,
    Delivered,
    DeliveryFailed,
    DisputeClosed,
    DisputeOpened,
    Fact,
    InTransit,
    LabelBought,
    LabelRefused,
    Packed,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    PickedUp,
    PickTicketKept,
    PickTicketRefused,
    PickupRefused,
    RefundedInAll,
    RefundFailed,
    RefundPending,
    RefundSettled,
    Returned,
    StockReleased,
    StockReserved,
    StockShort,
    UndoBegun,
    UndoFinished,
    VoidRefused,
)
from hub.money import Money
from hub.values import Frozen

_PAYMENT: dict[type[Frozen], PaymentFacet] = {
    PaymentWaits: PaymentFacet.AWAITS_CUSTOMER,
    PaymentProcessing: PaymentFacet.PROCESSING,
    PaymentFailed: PaymentFacet.FAILED,
    PaymentCanceled: PaymentFacet.CANCELED,
    PaymentSettled: PaymentFacet.PAID,
}
_STOCK: dict[type[Frozen], StockFacet] = {
    StockShort: StockFacet.SHORT,
    StockReserved: StockFacet.RESERVED,
    StockReleased: StockFacet.RELEASED,
}
_PARCEL: dict[type[Frozen], ParcelFacet] = {
    LabelBought: ParcelFacet.LABELLED,
    LabelRefused: ParcelFacet.REFUSED,
    Announced: ParcelFacet.ANNOUNCED,
    Packed: ParcelFacet.PACKED,
    PickedUp: ParcelFacet.IN_TRANSIT,
    InTransit: ParcelFacet.IN_TRANSIT,
    Delivered: ParcelFacet.DELIVERED,
    Returned: ParcelFacet.RETURNED,
}
_HOLD: dict[type[Frozen], HoldFacet] = {UndoBegun: HoldFacet.UNDOING, UndoFinished: HoldFacet.UNDONE}


def after(facets: Facets, fact: Fact) -> Facets:
    """
    Return the facets once ``fact``, heard for the first time, is taken in.

    What happened to an older attempt's payment, refund or stock is recorded but moves nothing; a person is called all the same. What says
    nothing about how far the order is, such as a delivered mail, moves nothing either.
    """
    if needs_a_person(fact):
        facets = facets.model_copy(update={"attention": True})
    if getattr(fact, "attempt", facets.attempt) != facets.attempt:
        return facets
    kind = type(fact)
    if kind in _PAYMENT:
        return facets.model_copy(update={"payment": forward(facets.payment, _PAYMENT[kind])})
    if kind in _STOCK:
        return facets.model_copy(update={"stock": forward(facets.stock, _STOCK[kind])})
    if kind in _PARCEL:
        return facets.model_copy(update={"parcel": forward(facets.parcel, _PARCEL[kind])})
    if kind in _HOLD:
        return facets.model_copy(update={"hold": forward(facets.hold, _HOLD[kind])})
    return _after_money_went_back(facets, fact)


def _after_money_went_back(facets: Facets, fact: Fact) -> Facets:
    match fact:
        case RefundSettled():
            facets = facets.model_copy(update={"refunded": facets.refunded + fact.amount})
        case RefundedInAll():
            facets = facets.model_copy(update={"refunded_in_all": max(facets.refunded_in_all, fact.amount)})
        case DisputeOpened():
            return facets.model_copy(update={"dispute": forward(facets.dispute, DisputeFacet.OPEN)})
        case DisputeClosed():
            end = DisputeFacet.WON if fact.won else DisputeFacet.LOST
            return facets.model_copy(update={"dispute": forward(facets.dispute, end)})
        case _:
            return facets
    if facets.given_back >= facets.amount:
        return facets.model_copy(update={"payment": forward(facets.payment, PaymentFacet.REFUNDED)})
    return facets


def anew(facets: Facets, attempt: int) -> Facets:
    """Return the facets with which ``attempt`` begins: nothing paid, given back, disputed or set aside yet; what has no attempt stays."""
    parcel = facets.parcel if rank(facets.parcel) >= rank(ParcelFacet.LABELLED) else ParcelFacet.NONE
    return Facets(attempt=attempt, amount=facets.amount, parcel=parcel, hold=facets.hold, attention=facets.attention)


def needs_a_person(fact: Fact) -> bool:
    """Tell whether a person has to look at something because of ``fact``, whatever else is known about the order."""
    return attention_for(fact, "") is not None


def attention_for(fact: Fact, subject_id: str) -> str | None:  # noqa: PLR0911 - one sentence per fact
    """Return what a person has to look at because of ``fact`` about this subject; None for most facts."""
    match fact:
        case AttentionNeeded():
            return fact.reason
        case RefundFailed():
            return f"refund {fact.refund_id} failed ({fact.code}); the customer has not got that money"
        case DisputeOpened():
            disputed = Money(amount=fact.amount, currency=fact.currency)
            return f"the customer's bank disputes {disputed} ({fact.reason}); answer dispute {fact.dispute_id} at the payment provider"
        case DisputeClosed(won=False):
            return f"dispute {fact.dispute_id} was lost; the bank has taken the money back"
        case VoidRefused():
            told = f"hub order resolve {subject_id} void"
            return f"the carrier does not take label {fact.label_id} back; claim it at Shippo, or write it off, then say so: {told}"
        case PickTicketRefused():
            return f"the warehouse does not pack the parcel ({fact.code}); have it packed in another way, or cancel the order"
        case PickTicketKept():
            return f"the warehouse cannot keep the parcel of a cancelled order back any more ({fact.code}); let it come back"
        case PickupRefused():
            return f"the carrier does not come for the parcel ({fact.code}); arrange a pick-up with it, or bring it there"
        case DeliveryFailed():
            return f"the carrier could not deliver the parcel ({fact.code})"
        case _:
            return None


_QUIET = (PaymentWaits, PaymentProcessing, Packed, RefundPending, RefundedInAll, StockReleased)


def is_walked(facets: Facets) -> bool:
    """Tell whether the order has come as far as a run brings it by itself: what it waits for now is the warehouse, or the carrier."""
    at_ease = facets.hold is HoldFacet.NONE and facets.dispute is DisputeFacet.NONE and not facets.attention
    return at_ease and facets.payment is PaymentFacet.PAID and facets.parcel in (ParcelFacet.ANNOUNCED, ParcelFacet.PACKED)


def calls_for_a_run(before: Facets, now: Facets, fact: Fact) -> bool:
    """Tell whether ``fact``, which moved ``before`` to ``now``, leaves the process something to do."""
    if needs_a_person(fact) or now.hold is HoldFacet.UNDOING:
        return True
    return before != now and not isinstance(fact, _QUIET)
