"""A run and its order: taken before anything is decided, given back on every way out, and the state that the run ends in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect.context import FlowRunContext
from prefect.states import Completed

from hub.claims import Lease, current, leased
from hub.effects import Stopped
from hub.intake import place, raise_attempt
from hub.orders import Order, OrderRequest, OrderResult
from tasks.timeline import IN_HAND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prefect.client.schemas.objects import State


@dataclass
class Held:
    """What a run holds while it works: the order's snapshot, and afterwards what stopped it, if anything did."""

    lease: Lease[Order]
    stopped: Stopped | None = None

    @property
    def order(self) -> Order:
        """The order as it was when the run took it."""
        return self.lease.subject

    async def result(self) -> OrderResult:
        """Return where the order is now."""
        return (self.lease.left or await current(self.order.id)).result()

    async def ending(self) -> State[OrderResult]:
        """
        Return the state that the run ends in, named after where the order is now.

        ``InHand``: another run works on the order. ``Parked``: it goes on by itself later. Otherwise the order's status.
        """
        order = self.lease.left or await current(self.order.id)
        if self.order.in_hand:
            return Completed(name=IN_HAND, message="another run has this order in hand", data=order.result())
        if self.stopped is not None:
            return Completed(name=type(self.stopped).__name__, message=str(self.stopped), data=order.result())
        return Completed(name=order.status.replace("_", " ").title().replace(" ", ""), message=order.message, data=order.result())


@asynccontextmanager
async def claimed(order_id: str, request: OrderRequest | None = None, attempt: int | None = None) -> AsyncIterator[Held]:
    """
    Hold the order while the block runs; keep it first when it came along, and raise its attempt when asked to.

    A provider that cannot be reached, or a lease that was lost, ends the block quietly: ``Held.stopped`` says what it was, and the order
    is due again when it should be. Anything else is a bug or a database that is down: it is raised, and the order is due again, too.

    Raises:
        NoSuchOrder: There is no such order, and none came along.
        OrderDiffers: The id belongs to an order with other content.
        NoNewAttempt: The order's state allows no such attempt.
    """
    if request is not None:
        await place(order_id, request, first_attempt=attempt or 1)
    if attempt is not None:
        await raise_attempt(order_id, attempt)
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("an order is taken by a flow run; call the flow, not its inside")
    held: Held | None = None
    try:
        async with leased(order_id, str(context.flow_run.id)) as lease:
            held = Held(lease)
            yield held
    except Stopped as stopped:
        if held is None:
            raise
        held.stopped = stopped
