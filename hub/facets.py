"""
How far an order is: four columns that only move forward, and the status that follows from them.

Facts may come twice, late and in any order, so each facet has a rank and takes the highest it has heard of; ``status_of`` is a pure
function of the result. Only a new attempt or a person's decision sets anything back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from hub.values import Frozen


class PaymentFacet(StrEnum):
    """The customer's money, in rising rank."""

    NONE = "none"
    AWAITS_CUSTOMER = "awaits_customer"
    PROCESSING = "processing"
    FAILED = "failed"
    CANCELED = "canceled"
    PAID = "paid"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class ParcelFacet(StrEnum):
    """The parcel, in rising rank. ``announced``: the customer and the team were told, as far as they could be."""

    NONE = "none"
    REFUSED = "refused"
    LABELLED = "labelled"
    ANNOUNCED = "announced"
    PACKED = "packed"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    RETURNED = "returned"


class StockFacet(StrEnum):
    """The goods, in rising rank."""

    NONE = "none"
    SHORT = "short"
    RESERVED = "reserved"
    RELEASED = "released"


class HoldFacet(StrEnum):
    """Whether the order is being undone, in rising rank."""

    NONE = "none"
    UNDOING = "undoing"
    UNDONE = "undone"


class Status(StrEnum):
    """The words that people and programs outside use for how far an order is."""

    RECEIVED = "received"
    AWAITING_PAYMENT = "awaiting_payment"
    PAYMENT_FAILED = "payment_failed"
    OUT_OF_STOCK = "out_of_stock"
    PAID = "paid"
    CONFIRMED = "confirmed"
    PACKED = "packed"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    NEEDS_ATTENTION = "needs_attention"


class Facets(Frozen):
    """An order's facets. ``refunded`` is the sum of distinct refunds, in minor units; ``attention`` says that a person has to look."""

    attempt: int = 1
    amount: int = 0
    refunded: int = 0
    payment: PaymentFacet = PaymentFacet.NONE
    parcel: ParcelFacet = ParcelFacet.NONE
    stock: StockFacet = StockFacet.NONE
    hold: HoldFacet = HoldFacet.NONE
    attention: bool = False


Facet = TypeVar("Facet", PaymentFacet, ParcelFacet, StockFacet, HoldFacet)


def rank(facet: PaymentFacet | ParcelFacet | StockFacet | HoldFacet) -> int:
    """Return the place of ``facet`` in its own order, from 0."""
    return list(type(facet)).index(facet)


def forward(now: Facet, news: Facet) -> Facet:
    """Return the higher of the two: news that we know better already changes nothing."""
    return news if rank(news) > rank(now) else now


_BY_PARCEL = {
    ParcelFacet.ANNOUNCED: Status.CONFIRMED,
    ParcelFacet.PACKED: Status.PACKED,
    ParcelFacet.IN_TRANSIT: Status.IN_TRANSIT,
    ParcelFacet.DELIVERED: Status.DELIVERED,
    ParcelFacet.RETURNED: Status.RETURNED,
}
_BY_PAYMENT = {
    PaymentFacet.AWAITS_CUSTOMER: Status.AWAITING_PAYMENT,
    PaymentFacet.PROCESSING: Status.AWAITING_PAYMENT,
    PaymentFacet.FAILED: Status.PAYMENT_FAILED,
    PaymentFacet.CANCELED: Status.PAYMENT_FAILED,
    PaymentFacet.PAID: Status.PAID,
    PaymentFacet.REFUNDED: Status.REFUNDED,
    PaymentFacet.DISPUTED: Status.DISPUTED,
}


def status_of(facets: Facets) -> Status:
    """Return the one word for ``facets``; what weighs more comes first."""
    if facets.attention:
        return Status.NEEDS_ATTENTION
    if facets.payment in (PaymentFacet.DISPUTED, PaymentFacet.REFUNDED) and facets.hold is not HoldFacet.UNDOING:
        return _BY_PAYMENT[facets.payment]
    if facets.hold is HoldFacet.UNDOING:
        return Status.REFUNDING if rank(facets.payment) >= rank(PaymentFacet.PAID) else Status.CANCELLING
    if facets.hold is HoldFacet.UNDONE:
        return Status.CANCELLED
    if facets.stock is StockFacet.SHORT:
        return Status.OUT_OF_STOCK
    return _BY_PARCEL.get(facets.parcel) or _BY_PAYMENT.get(facets.payment) or Status.RECEIVED
