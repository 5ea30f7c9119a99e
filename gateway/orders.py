"""Orders in, state out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.access import MAY_READ, MAY_WRITE, MayWrite
from gateway.starting import start, start_refund
from hub.cancelling import CancelWish, cancel
from hub.facets import Status
from hub.incoming import PaymentMethod
from hub.intake import go_on, place, raise_attempt
from hub.orders import OrderId, OrderRequest
from hub.refund_views import RefundView, view_refund
from hub.refunds import RefundId, RefundTerms, ask_refund
from hub.story import Event, story_of
from hub.views import OrderPage, OrderView, list_orders, view_order

router = APIRouter(prefix="/orders", tags=["orders"])


class AttemptRequest(BaseModel):
    """A new attempt at an order whose payment failed: its number, one above the last, and perhaps another card."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)

    attempt: Annotated[int, Field(strict=True, ge=1)]
    payment_method: PaymentMethod | None = None


class RefundRequest(RefundTerms):
    """A refund, under an id of the caller's own."""

    refund_id: RefundId


@router.put("/{order_id}", dependencies=[MAY_WRITE], responses={201: {"description": "New"}, 409: {"description": "Other content"}})
async def put_order(order_id: OrderId, order: OrderRequest, response: Response, later: BackgroundTasks) -> OrderView:
    """Keep the order and start its process: 201 when it is new, 200 when the same came before, 409 when the id has other content."""
    placed = await place(order_id, order)
    response.status_code = status.HTTP_201_CREATED if placed.new else status.HTTP_200_OK
    later.add_task(start, "order", order_id)
    return await view_order(order_id)


@router.get("", dependencies=[MAY_READ])
async def get_orders(status: Status | None = None, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> OrderPage:
    """Return orders, newest first, a page at a time."""
    return await list_orders(status, cursor, limit)


@router.get("/{order_id}", dependencies=[MAY_READ])
async def get_order(order_id: OrderId) -> OrderView:
    """Return how far the order is."""
    return await view_order(order_id)


@router.get("/{order_id}/timeline", dependencies=[MAY_READ])
async def get_timeline(order_id: OrderId) -> list[Event]:
    """Return everything that has happened to the order, oldest first."""
    await view_order(order_id)
    return await story_of(order_id)


@router.post("/{order_id}/attempts", status_code=status.HTTP_202_ACCEPTED)
async def post_attempt(order_id: OrderId, wanted: AttemptRequest, by: MayWrite, later: BackgroundTasks) -> OrderView:
    """Start a new attempt after a failed payment; the same number again gives the same answer."""
    await raise_attempt(order_id, wanted.attempt, wanted.payment_method, by=by)
    later.add_task(start, "order", order_id)
    return await view_order(order_id)


@router.post("/{order_id}/cancel", status_code=status.HTTP_202_ACCEPTED, responses={409: {"description": "Too late, and what to do"}})
async def post_cancel(order_id: OrderId, by: MayWrite, later: BackgroundTasks, wish: CancelWish | None = None) -> OrderView:
    """Undo the order, whatever has been done for it, unless the carrier has the parcel; again, it gives the same answer."""
    await cancel(order_id, wish or CancelWish(), by=by)
    later.add_task(start, "order", order_id)
    return await view_order(order_id)


@router.post(
    "/{order_id}/refunds", status_code=status.HTTP_202_ACCEPTED, responses={409: {"description": "More than was paid, or other content"}}
)
async def post_refund(order_id: OrderId, wanted: RefundRequest, by: MayWrite, later: BackgroundTasks) -> RefundView:
    """Give all or part of the payment back; the same refund id again gives the same answer."""
    await ask_refund(order_id, wanted.refund_id, wanted, by=by)
    later.add_task(start_refund, order_id, wanted.refund_id)
    return await view_refund(order_id, wanted.refund_id)


@router.get("/{order_id}/refunds/{refund_id}", dependencies=[MAY_READ])
async def get_refund(order_id: OrderId, refund_id: RefundId) -> RefundView:
    """Return how far the refund is."""
    return await view_refund(order_id, refund_id)


@router.post("/{order_id}/resume", status_code=status.HTTP_202_ACCEPTED)
async def post_resume(order_id: OrderId, by: MayWrite, later: BackgroundTasks) -> OrderView:
    """Let an order that is parked or needed attention go on now, at a person's word; its attempt stays."""
    await go_on(order_id, by=by)
    later.add_task(start, "order", order_id)
    return await view_order(order_id)
