"""An order's row: how a fact changes it, and how it becomes a snapshot."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from hub import progress
from hub.facets import DisputeFacet, Facets, HoldFacet, ParcelFacet, PaymentFacet, Status, StockFacet, rank, status_of
from hub.facts import (
    Announced,
    Delivered,
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
    PickTicketSent,
    RefundedInAll,
    RefundSettled,
    Returned,
    StockShort,
    UndoBegun,
    UndoFinished,
)
from hub.orders import Order, OrderRequest
from hub.payments import NextAction
from hub.progress import after, attention_for, calls_for_a_run
from hub.subjects import Moved
from hub.tables import OrderRow


class NoSuchOrder(Exception):
    """There is no order with this id."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.order_id = order_id

    def __str__(self) -> str:
        return f"there is no order {self.order_id}; place it first"


def facets_of(row: OrderRow) -> Facets:
    """Return the facets that stand in the row's columns."""
    return Facets(
        attempt=row.attempt,
        amount=row.amount,
        refunded=row.refunded,
        refunded_in_all=row.refunded_in_all,
        payment=PaymentFacet(row.payment),
        parcel=ParcelFacet(row.parcel),
        stock=StockFacet(row.stock),
        hold=HoldFacet(row.hold),
        dispute=DisputeFacet(row.dispute),
        attention=row.attention is not None,
    )


def write_facets(row: OrderRow, facets: Facets) -> None:
    """Put ``facets`` and the status that follows from them into the row."""
    row.payment, row.parcel, row.stock, row.hold = facets.payment, facets.parcel, facets.stock, facets.hold
    row.dispute = facets.dispute
    row.refunded, row.refunded_in_all = facets.refunded, facets.refunded_in_all
    row.status = status_of(facets)


def move(row: OrderRow, fact: Fact) -> Moved:
    """Take a new fact in: the facets, the status, and what people ask for first."""
    before, reason = facets_of(row), attention_for(fact, row.id)
    facets = after(before, fact)
    row.attention = reason or row.attention
    write_facets(row, facets)
    row.waits_since = _waits_since(row, fact)
    note(row, fact)
    return Moved(changed=facets != before, to_do=calls_for_a_run(before, facets, fact))


def is_handed_over(row: OrderRow) -> bool:
    """Tell whether the carrier has, or had, the parcel."""
    return rank(ParcelFacet(row.parcel)) >= rank(ParcelFacet.IN_TRANSIT)


def _waits_since(row: OrderRow, fact: Fact) -> datetime | None:
    """Return since when somebody whom the hub has told is to move the parcel on; None when nobody is waited for."""
    if row.hold != HoldFacet.NONE or row.parcel not in (ParcelFacet.ANNOUNCED, ParcelFacet.PACKED):
        return None
    return row.progressed_at if isinstance(fact, PickTicketSent) else row.waits_since


def is_walked(row: OrderRow) -> bool:
    """Tell whether the order is as far as a run brings it by itself."""
    return progress.is_walked(facets_of(row))


def note(row: OrderRow, fact: Fact) -> None:
    """
    Write what people ask for first into columns of its own: ids, what the customer has to do, and a message that fits the status.

    Whatever the order of facts, it ends alike: an older attempt's say nothing here, and a message only stands for the status it explains.
    """
    if getattr(fact, "attempt", row.attempt) != row.attempt:
        return
    match fact:
        case PaymentWaits():
            row.payment_id, row.next_action = fact.payment_id, fact.next_action.model_dump()
        case PaymentProcessing() | PaymentCanceled():
            row.payment_id = fact.payment_id
        case PaymentFailed():
            row.payment_id = fact.payment_id or row.payment_id
        case PaymentSettled():
            row.payment_id, row.charge_id = fact.payment_id, fact.charge_id or row.charge_id
        case LabelBought():
            row.tracking_number = row.tracking_number or fact.tracking_number
        case _:
            pass
    if row.payment != PaymentFacet.AWAITS_CUSTOMER:
        row.next_action = None
    explained, message = _message(row, fact)
    if row.status in explained:
        row.message = message


def _message(row: OrderRow, fact: Fact) -> tuple[tuple[Status, ...], str]:  # noqa: C901, PLR0911, PLR0912 - one sentence per fact
    """Return the statuses that ``fact`` explains, and the sentence that does."""
    if (reason := attention_for(fact, row.id)) is not None:
        return (Status.NEEDS_ATTENTION, Status.DISPUTED), f"needs attention: {reason}"
    match fact:
        case StockShort():
            return (Status.OUT_OF_STOCK,), f"out of stock: {', '.join(fact.products)}; nothing was charged"
        case PaymentWaits() if row.payment == PaymentFacet.AWAITS_CUSTOMER:
            return (Status.AWAITING_PAYMENT,), "the customer has to confirm the payment, see nextAction"
        case PaymentProcessing():
            return (Status.AWAITING_PAYMENT,), "the payment is being processed and settles later"
        case PaymentFailed() if row.payment == PaymentFacet.FAILED:
            return (Status.PAYMENT_FAILED,), f"the payment was declined ({fact.code}); no label was bought"
        case PaymentCanceled():
            return (Status.PAYMENT_FAILED,), "the payment was canceled before any money moved"
        case PaymentSettled() | LabelBought():
            return (Status.PAID,), "paid, and the label is bought" if row.tracking_number else "paid"
        case LabelRefused():
            return (Status.PAID,), f"no carrier takes the parcel ({fact.code})"
        case Announced():
            return (Status.CONFIRMED,), "confirmed" + (f"; not told yet: {', '.join(fact.missed)}" if fact.missed else "")
        case Packed():
            return (Status.PACKED,), "packed"
        case PickedUp() | InTransit():
            return (Status.IN_TRANSIT,), "the parcel is on its way"
        case Delivered():
            return (Status.DELIVERED,), "the parcel was delivered"
        case Returned():
            return (Status.RETURNED,), "the parcel comes back, or is back"
        case RefundSettled() | RefundedInAll() if row.hold == HoldFacet.NONE:
            return (Status.REFUNDED,), "the whole payment was given back"
        case UndoBegun():
            return tuple(Status), f"being undone: {fact.because}"
        case UndoFinished():
            return tuple(Status), f"undone: {fact.because}" if fact.because else "undone"
        case _:
            return (), ""


def snapshot(row: OrderRow, hub_id: UUID, run_id: str, **more: Any) -> Order:
    """Return the row as the frozen value that a run works with."""
    return Order(
        id=row.id,
        hub_id=hub_id,
        correlation_id=row.correlation_id,
        request=OrderRequest.model_validate(row.request),
        payment_method=row.payment_method,
        attempt=row.attempt,
        epoch=row.epoch,
        fence=row.fence,
        run_id=run_id,
        facets=facets_of(row),
        charge_id=row.charge_id,
        payment_id=row.payment_id,
        earlier_payment_id=row.earlier_payment_id,
        tracking_number=row.tracking_number,
        next_action=NextAction.model_validate(row.next_action) if row.next_action else None,
        message=row.message,
        **more,
    )
