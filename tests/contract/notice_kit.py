"""What the tests of notices share: what providers tell about our effects, kept and handled as the gateway and the flow do it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from hub.database import transaction
from hub.handling import Handled, handle_some
from hub.inbox import keep
from hub.inbox_tables import NoticeRow
from hub.notices import Notice
from hub.orders import Order

_numbers = count(1)


def told(provider: str, kind: str, event: dict[str, Any], event_id: str | None = None) -> Notice:
    """A notice as an opener makes it."""
    return Notice(provider=provider, event_id=event_id or f"evt_{next(_numbers)}", kind=kind, content=json.dumps(event).encode())


def payment_told(
    kind: str, order: Order, payment_id: str, *, attempt: int | None = None, hub_id: UUID | None = None, **more: Any
) -> Notice:
    """What Stripe tells about the payment of the order's attempt."""
    key = f"{hub_id or order.hub_id}:order:{order.id}:payment:{attempt or order.attempt}"
    intent = {
        "object": "payment_intent",
        "id": payment_id,
        "amount": order.money.amount,
        "amount_received": order.money.amount if kind == "succeeded" else 0,
        "currency": order.money.currency,
        "latest_charge": f"ch_{payment_id}",
        "metadata": {"hub_id": str(order.hub_id), "order_id": order.id, "effect": key},
        **more,
    }
    return told("stripe", f"payment_intent.{kind}", {"type": f"payment_intent.{kind}", "data": {"object": intent}})


def mail_told(kind: str, order: Order, message_id: str, step: str = "mail", **more: Any) -> Notice:
    """What SendGrid tells about a mail of the order."""
    key = f"{order.hub_id}:order:{order.id}:{step}:{order.attempt}"
    event = {"event": kind, "email": "ada@example.com", "timestamp": 1, "sg_message_id": f"{message_id}.recvd-1-2-3", "effect": key, **more}
    return told("sendgrid", kind, event)


def label_told(order: Order, step: str, status: str, **more: Any) -> Notice:
    """What Shippo tells about a purchase of the order."""
    reference = f"{order.hub_id.hex[:12]}:order:{order.id}:{step}:{order.attempt}"
    purchase = {"object_id": "t_1", "status": status, "metadata": reference, **more}
    return told("shippo", "transaction_updated", {"event": "transaction_updated", "data": purchase})


def carrier_told(status: str, tracking_number: str) -> Notice:
    """What Shippo tells about the parcel with that number."""
    parcel = {"tracking_number": tracking_number, "tracking_status": {"status": status}}
    return told("shippo", "track_updated", {"event": "track_updated", "data": parcel})


def warehouse_told(kind: str, order_id: str) -> Notice:
    """What the warehouse tells about an order."""
    return told("custom", kind, {"type": kind, "timestamp": "2026-11-22T00:00:00Z", "data": {"orderId": order_id}})


async def handled(*notices: Notice) -> Handled:
    """Keep the notices and handle all that is due."""
    await keep(notices)
    total = Handled()
    while (some := await handle_some()).by_state:
        total += some
    return total


async def notice_of(notice: Notice) -> NoticeRow:
    """The row of a notice."""
    async with transaction() as session:
        mine = (col(NoticeRow.provider) == notice.provider, col(NoticeRow.event_id) == notice.event_id)
        return (await session.exec(select(NoticeRow).where(*mine))).one()
