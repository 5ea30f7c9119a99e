"""What the customer of an order reads."""

from __future__ import annotations

from hub.effects import Effect
from hub.notification_types import DELIVERED, MONEY_BACK, ORDER_CONFIRMATION, REFUND, SHIPPED
from hub.orders import Order
from hub.parcels import Label
from tasks.notifying import Sent, notifies, notify, send


@notifies(ORDER_CONFIRMATION, "mail confirmation {order.id}")
async def mail_confirmation(order: Order, label: Label) -> Sent:
    """Tell the customer that the order is confirmed and how to follow it."""
    return await notify(order, ORDER_CONFIRMATION, tracking_number=label.tracking_number)


@notifies(SHIPPED, "mail shipment {order.id}")
async def mail_shipment(order: Order, tracking_number: str | None) -> Sent:
    """Tell the customer that the carrier has the parcel."""
    return await notify(order, SHIPPED, tracking_number=tracking_number)


@notifies(DELIVERED, "mail delivery {order.id}")
async def mail_delivery(order: Order) -> Sent:
    """Tell the customer that the carrier has delivered the parcel."""
    return await notify(order, DELIVERED)


@notifies(REFUND, "mail refund {order.id}")
async def mail_refund(order: Order, *, refused: bool) -> Sent:
    """Tell the customer that the order was cancelled and the money goes back; ``refused``: because no carrier takes it."""
    return await notify(order, REFUND, refused=refused)


@notifies(MONEY_BACK, "mail money back {order.id}")
async def mail_money_back(order: Order, owed: Effect) -> Sent:
    """Tell the customer that part of the money, or all of it, is on its way back."""
    del order  # what makes the cache key
    return await send(owed)
