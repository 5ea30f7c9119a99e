"""
How far an order is: five columns that only move forward, and the status that follows from them.

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


class DisputeFacet(StrEnum):
    """Whether the customer's bank wants the money back, in rising rank. ``lost``: it has taken it."""

    NONE = "none"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


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
    """
    An order's facets, its amounts in minor units; ``attention`` says that a person has to look.

    ``refunded`` is the sum over distinct refunds, ``refunded_in_all`` the highest total that the provider has named. Either may be behind.
    """

    attempt: int = 1
    amount: int = 0
    refunded: int = 0
    refunded_in_all: int = 0
    payment: PaymentFacet = PaymentFacet.NONE
    parcel: ParcelFacet = ParcelFacet.NONE
    stock: StockFacet = StockFacet.NONE
    hold: HoldFacet = HoldFacet.NONE
    dispute: DisputeFacet = DisputeFacet.NONE
    attention: bool = False

    @property
    def given_back(self) -> int:
        """How much has gone back to the customer, as far as anybody has told."""
        return max(self.refunded, self.refunded_in_all)


Facet = TypeVar("Facet", bound=StrEnum)


def rank(facet: StrEnum) -> int:
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
}


def status_of(facets: Facets) -> Status:
    """Return the one word for ``facets``; what weighs more comes first."""
    if facets.dispute in (DisputeFacet.OPEN, DisputeFacet.LOST):
        return Status.DISPUTED
    if facets.attention:
        return Status.NEEDS_ATTENTION
    if facets.hold is HoldFacet.UNDOING:
        return Status.REFUNDING if rank(facets.payment) >= rank(PaymentFacet.PAID) else Status.CANCELLING
    if facets.payment is PaymentFacet.REFUNDED:
        return Status.REFUNDED
    if facets.hold is HoldFacet.UNDONE:
        return Status.CANCELLED
    if facets.stock is StockFacet.SHORT:
        return Status.OUT_OF_STOCK
    return _BY_PARCEL.get(facets.parcel) or _BY_PAYMENT.get(facets.payment) or Status.RECEIVED
