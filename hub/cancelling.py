"""The customer does not want the order any more: what was begun is undone, as long as the carrier does not have the parcel."""

from __future__ import annotations

from pydantic import Field

from hub.database import transaction
from hub.facets import DisputeFacet, HoldFacet, ParcelFacet, PaymentFacet
from hub.incoming import Incoming, Text
from hub.order_rows import facets_of
from hub.subject_rows import as_it_is, locked, take_up_again
from hub.tables import OrderRow
from hub.undoing import plan_undo


class CancelWish(Incoming):
    """Why the customer does not want the order any more, if they said so."""

    reason: Text | None = Field(default=None, description="For the team; nothing personal belongs here.")


class NotCancellable(Exception):
    """It is too late; ``why`` says so, and what to do instead."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(order_id, why)
        self.order_id, self.why = order_id, why

    def __str__(self) -> str:
        return f"order {self.order_id} cannot be cancelled: {self.why}"


async def cancel(order_id: str, wish: CancelWish, *, by: str) -> None:
    """
    Commit that the order is being undone, and the refund that this takes as far as is known; cancelled already, nothing changes.

    From this commit on no run charges, labels or announces it. The next run finds out what is under way and undoes it; where a person has
    to look first, the first run after that.

    Raises:
        NoSuchOrder: It does not exist.
        NotCancellable: The carrier has the parcel, the bank decides about the payment, or all of it has gone back.
    """
    async with transaction() as session:
        row, now = await locked(session, order_id)
        if row.hold != HoldFacet.NONE:
            return
        if (why := _why_not(row)) is not None:
            raise NotCancellable(order_id, why)
        because = "the customer cancelled it" + ("" if wish.reason is None else f": {wish.reason}")
        await plan_undo(session, row, await as_it_is(session, row), because, source="person", by=by)
        if row.attention is not None:
            row.message = f"needs attention: {row.attention}; then it is undone: {because}"
        take_up_again(row, now)


def _why_not(row: OrderRow) -> str | None:
    facets = facets_of(row)
    refund = f"give the money back with POST /orders/{row.id}/refunds"
    if facets.dispute in (DisputeFacet.OPEN, DisputeFacet.LOST):
        return "the customer's bank decides about its payment; answer the dispute at the payment provider"
    if facets.payment is PaymentFacet.REFUNDED:
        return "its whole payment has gone back already"
    match facets.parcel:
        case ParcelFacet.IN_TRANSIT:
            return f"the carrier has the parcel; let the customer refuse it or send it back, then {refund}"
        case ParcelFacet.DELIVERED:
            return f"the parcel has arrived; let the customer send it back, then {refund}"
        case ParcelFacet.RETURNED:
            return f"the parcel comes back, or is back; {refund}"
        case _:
            return None
