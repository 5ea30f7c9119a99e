"""Many orders in one run: a list of them, or all that stand somewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from flows.process_order import go_on
from hub.facets import Status
from hub.order_rows import NoSuchOrder
from hub.orders import OrderId
from hub.views import find_orders
from tasks.bulk import BulkResult, ItemOutcome, each
from tasks.claiming import claimed


@flow(name="process-orders", persist_result=True)
async def process_orders(
    order_ids: list[OrderId] | None = None,
    which: Status | Literal["parked"] | None = None,
    limit: Annotated[int, Field(ge=1, le=10_000)] = 500,
    at_once: Annotated[int, Field(ge=1, le=200)] = 25,
) -> BulkResult:
    """
    Bring many orders as far as they go today, side by side.

    Safe to stop and to start again: what was done is not done twice. An order that has to wait is parked and goes on by itself.

    Args:
        order_ids: These orders, placed before.
        which: Or all that have this status; "parked" means those that wait for their next run.
        limit: How many of them at most, the oldest first.
        at_once: How many side by side.
    """
    if order_ids is None:
        order_ids = await find_orders(which or "parked", limit)
    return await each(order_ids, one, at_once=at_once, of="order")


async def one(order_id: str) -> ItemOutcome:
    """Process one order, and say what came of it."""
    try:
        async with claimed(order_id) as held:
            await go_on(held.subject)
    except NoSuchOrder as error:
        return ItemOutcome(id=order_id, status="not found", message=str(error), well=False)
    result, stopped = await held.result(), held.stopped
    well = stopped is None and result.status not in (Status.NEEDS_ATTENTION, Status.PAYMENT_FAILED, Status.OUT_OF_STOCK)
    return ItemOutcome(id=order_id, status=result.status, message=str(stopped or result.message), well=well)
