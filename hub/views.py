"""Orders as the outside sees them: no personal data, the same words in the gateway, the command line and the UI."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy import func, or_, tuple_
from sqlmodel import col, select

from hub.database import transaction
from hub.facets import Status
from hub.incoming import SUBJECT_ID
from hub.order_rows import NoSuchOrder
from hub.payments import NextAction
from hub.tables import OrderRow

PAGE = 50


class OrderView(BaseModel):
    """An order as the outside sees it; ``amount`` in minor units, ``resumeAt`` when it goes on by itself."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    order_id: str
    status: Status
    message: str
    attempt: int
    amount: int
    currency: str
    charge_id: str | None
    tracking_number: str | None
    next_action: NextAction | None
    resume_at: datetime | None
    created_at: datetime
    correlation_id: str


class OrderPage(BaseModel):
    """Some orders, newest first, and the cursor of the next page."""

    model_config = ConfigDict(frozen=True)

    orders: list[OrderView]
    cursor: str | None


class BadCursor(Exception):
    """A cursor that no page has given out."""

    def __str__(self) -> str:
        return "this cursor was not given out by GET /orders; leave it away to start from the newest"


async def view_order(order_id: str) -> OrderView:
    """
    Return the order as it is now.

    Raises:
        NoSuchOrder: It does not exist.
    """
    async with transaction() as session:
        row = await session.get(OrderRow, order_id)
    if row is None:
        raise NoSuchOrder(order_id)
    return _view(row)


async def list_orders(status: Status | None = None, cursor: str | None = None, limit: int = PAGE) -> OrderPage:
    """
    Return a page of orders, newest first.

    Raises:
        BadCursor: ``cursor`` is none of ours.
    """
    place = (col(OrderRow.created_at), col(OrderRow.id))
    wanted = select(OrderRow).order_by(place[0].desc(), place[1].desc()).limit(limit + 1)
    if status is not None:
        wanted = wanted.where(col(OrderRow.status) == status)
    if cursor is not None:
        wanted = wanted.where(tuple_(*place) < place_of(cursor))
    async with transaction() as session:
        rows = list(await session.exec(wanted))
    more = len(rows) > limit
    return OrderPage(
        orders=[_view(row) for row in rows[:limit]], cursor=cursor_after(rows[limit - 1].created_at, rows[limit - 1].id) if more else None
    )


async def find_orders(which: Status | Literal["parked"], limit: int) -> list[str]:
    """Return the ids of orders with this status, or of those that wait for their next run (``parked``), oldest first."""
    wanted = select(col(OrderRow.id)).order_by(col(OrderRow.created_at)).limit(limit)
    if which == "parked":
        free = or_(col(OrderRow.lease_until).is_(None), col(OrderRow.lease_until) <= func.clock_timestamp())
        wanted = wanted.where(col(OrderRow.resume_at).is_not(None), free)
    else:
        wanted = wanted.where(col(OrderRow.status) == which)
    async with transaction() as session:
        return list(await session.exec(wanted))


def _view(row: OrderRow) -> OrderView:
    return OrderView(
        order_id=row.id,
        status=Status(row.status),
        message=row.message,
        attempt=row.attempt,
        amount=row.amount,
        currency=row.currency,
        charge_id=row.charge_id,
        tracking_number=row.tracking_number,
        next_action=NextAction.model_validate(row.next_action) if row.next_action else None,
        resume_at=row.resume_at,
        created_at=row.created_at,
        correlation_id=row.correlation_id,
    )


def cursor_after(created_at: datetime, subject_id: str) -> str:
    """Return the cursor of the page that begins after the subject."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{subject_id}".encode()).decode()


def place_of(cursor: str) -> tuple[datetime, str]:
    """
    Return after whom the cursor's page begins.

    Raises:
        BadCursor: It is none of ours.
    """
    try:
        text, _, subject_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition("|")
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadCursor from None
    if moment.utcoffset() != timedelta(0) or re.fullmatch(SUBJECT_ID, subject_id) is None:
        raise BadCursor
    return moment, subject_id
