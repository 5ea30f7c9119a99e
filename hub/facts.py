"""
What has happened to an order, in our words, and what it means to the order's facets.

A fact is recorded once: ``identity`` tells two facts of the same kind apart (a refund id, an attempt number), and a second one with the
same identity is nothing new. ``after`` is pure, and the order in which facts arrive makes no difference to where it ends.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hub.facets import Facets, HoldFacet, ParcelFacet, PaymentFacet, StockFacet, forward
from hub.payments import NextAction
from hub.values import Frozen


class StockReserved(Frozen):
    """The goods are set aside."""

    kind: Literal["stock reserved"] = "stock reserved"
    attempt: int


class StockShort(Frozen):
    """There is not enough of ``products``; nothing was set aside."""

    kind: Literal["out of stock"] = "out of stock"
    attempt: int
    products: tuple[str, ...]


class StockReleased(Frozen):
    """The goods are back on the shelf."""

    kind: Literal["stock released"] = "stock released"
    attempt: int


class PaymentWaits(Frozen):
    """The customer has to do something before the payment can go on."""

    kind: Literal["payment waits for the customer"] = "payment waits for the customer"
    attempt: int
    payment_id: str
    next_action: NextAction


class PaymentProcessing(Frozen):
    """The payment is under way and settles later."""

    kind: Literal["payment processing"] = "payment processing"
    attempt: int
    payment_id: str


class PaymentSettled(Frozen):
    """The customer has paid ``amount`` minor units."""

    kind: Literal["payment settled"] = "payment settled"
    attempt: int
    payment_id: str
    charge_id: str | None
    amount: int
    currency: str


class PaymentFailed(Frozen):
    """The payment was refused; ``code`` is the provider's, e.g. ``generic_decline``."""

    kind: Literal["payment failed"] = "payment failed"
    attempt: int
    payment_id: str | None
    code: str


class PaymentCanceled(Frozen):
    """The payment was called off before any money moved."""

    kind: Literal["payment canceled"] = "payment canceled"
    attempt: int
    payment_id: str


class RefundSettled(Frozen):
    """``amount`` minor units went back to the customer."""

    kind: Literal["refund settled"] = "refund settled"
    refund_id: str
    amount: int
    currency: str


class LabelBought(Frozen):
    """The carrier has sold us a label."""

    kind: Literal["label bought"] = "label bought"
    label_id: str
    tracking_number: str


class LabelRefused(Frozen):
    """No carrier takes this parcel; ``code`` is the carrier's or ours."""

    kind: Literal["label refused"] = "label refused"
    attempt: int
    code: str


class Announced(Frozen):
    """The customer and the team were told that the order is on its way, as far as they could be."""

    kind: Literal["announced"] = "announced"
    missed: tuple[str, ...] = ()


class UndoBegun(Frozen):
    """The order is being undone; ``because`` is for people, without personal data."""

    kind: Literal["undoing"] = "undoing"
    because: str


class UndoFinished(Frozen):
    """Everything that was done for the order is undone."""

    kind: Literal["undone"] = "undone"


class AttentionNeeded(Frozen):
    """A person has to look; ``reason`` says at what."""

    kind: Literal["needs attention"] = "needs attention"
    epoch: int
    reason: str


Fact = Annotated[
    StockReserved
    | StockShort
    | StockReleased
    | PaymentWaits
    | PaymentProcessing
    | PaymentSettled
    | PaymentFailed
    | PaymentCanceled
    | RefundSettled
    | LabelBought
    | LabelRefused
    | Announced
    | UndoBegun
    | UndoFinished
    | AttentionNeeded,
    Field(discriminator="kind"),
]

_IDENTITY = ("refund_id", "payment_id", "label_id", "attempt", "epoch")


def identity_of(fact: Fact) -> str:
    """Return what tells ``fact`` apart from others of its kind about the same order."""
    data: dict[str, Any] = fact.model_dump(mode="json")
    return ":".join(str(data[name]) for name in _IDENTITY if data.get(name) is not None)


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
}
_HOLD: dict[type[Frozen], HoldFacet] = {UndoBegun: HoldFacet.UNDOING, UndoFinished: HoldFacet.UNDONE}


def after(facets: Facets, fact: Fact) -> Facets:
    """
    Return the facets once ``fact``, heard for the first time, is taken in.

    What happened to an older attempt's payment or stock is recorded but moves nothing.
    """
    kind = type(fact)
    if getattr(fact, "attempt", facets.attempt) != facets.attempt:
        return facets
    if isinstance(fact, AttentionNeeded):
        return facets.model_copy(update={"attention": True})
    if isinstance(fact, RefundSettled):
        refunded = facets.refunded + fact.amount
        payment = forward(facets.payment, PaymentFacet.REFUNDED) if refunded >= facets.amount else facets.payment
        return facets.model_copy(update={"refunded": refunded, "payment": payment})
    if kind in _PAYMENT:
        return facets.model_copy(update={"payment": forward(facets.payment, _PAYMENT[kind])})
    if kind in _STOCK:
        return facets.model_copy(update={"stock": forward(facets.stock, _STOCK[kind])})
    if kind in _PARCEL:
        return facets.model_copy(update={"parcel": forward(facets.parcel, _PARCEL[kind])})
    return facets.model_copy(update={"hold": forward(facets.hold, _HOLD[kind])})
