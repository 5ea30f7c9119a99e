"""What the warehouse is asked to do: pack a parcel, or leave it."""

from __future__ import annotations

from datetime import datetime

from hub.values import Frozen


class PickLine(Frozen):
    """So many pieces of one product."""

    product_id: str
    quantity: int


class PickTicket(Frozen):
    """
    What goes into an order's parcel, and the label that goes on it. Nothing personal: whom it goes to stands on the label.

    ``at`` is when it was decided.
    """

    order_id: str
    lines: tuple[PickLine, ...]
    tracking_number: str
    label_url: str | None
    at: datetime


class TakenTicket(Frozen):
    """A ticket that the warehouse has, under the id that it came with."""

    ticket_id: str


class TicketCancellation(Frozen):
    """The order's parcel is not to leave: what is not packed stays on the shelf, what is gets unpacked."""

    order_id: str
    ticket_id: str
    at: datetime
