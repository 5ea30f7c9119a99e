"""Orders come in here, whichever door they use: kept once, compared when they come again, and given new attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.facets import Facets, Status, status_of
from hub.facts import StockReleased
from hub.incoming import differences
from hub.order_rows import facets_of, write_facets
from hub.orders import OrderRequest
from hub.progress import anew
from hub.stock import put_back
from hub.subject_rows import NEW, locked, record, taken_up
from hub.tables import HubIdentity, OrderRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

REHEARSAL_CARD = "pm_card_visa"
"""Stripe's test card, taken when an order of a test or rehearsal hub names none: https://docs.stripe.com/testing"""


class OrderDiffers(Exception):
    """The id is taken by an order with other content. ``paths`` says where they differ, without values."""

    def __init__(self, order_id: str, paths: list[str]) -> None:
        super().__init__(order_id, paths)
        self.order_id, self.paths = order_id, paths

    def __str__(self) -> str:
        return f"order {self.order_id} exists with other content; it differs in {', '.join(self.paths)}. Use another id for another order."


class PaymentMethodMissing(Exception):
    """A hub with live accounts charges nobody without a payment method."""

    def __str__(self) -> str:
        return "paymentMethod is required: this hub works with live accounts"


class NoNewAttempt(Exception):
    """The order's state allows no new attempt."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(order_id, why)
        self.order_id, self.why = order_id, why

    def __str__(self) -> str:
        return f"order {self.order_id} takes no such attempt: {self.why}"


class NothingToResume(Exception):
    """The order, or what else it is, is neither parked nor does it need attention."""

    def __init__(self, subject_id: str, status: str, what: str = "order") -> None:
        super().__init__(subject_id, status, what)
        self.subject_id, self.status, self.what = subject_id, status, what

    def __str__(self) -> str:
        return f"{self.what} {self.subject_id} is {self.status} and waits for nothing of ours; there is nothing to resume"


@dataclass(frozen=True)
class Placed:
    """``new`` is False when the same order had come before."""

    order_id: str
    new: bool


async def place(order_id: str, request: OrderRequest, *, first_attempt: int = 1) -> Placed:
    """
    Keep the order, due at once; the same order again changes nothing. A new order begins with attempt 1.

    Raises:
        OrderDiffers: The id belongs to an order with other content.
        PaymentMethodMissing: Live accounts, and no payment method named.
        NoNewAttempt: The order is new, and ``first_attempt`` is not 1; nothing was kept.
    """
    stored = request.as_stored()
    async with transaction() as session:
        mode, now = (await session.exec(select(col(HubIdentity.mode), func.clock_timestamp()))).one()
        if request.payment_method is None and mode == "live":
            raise PaymentMethodMissing
        facets = Facets(amount=request.amount)
        added = await session.exec(
            insert(OrderRow)
            .values(
                id=order_id,
                correlation_id=uuid4().hex,
                request=stored,
                currency=request.currency,
                amount=request.amount,
                payment_method=request.payment_method or REHEARSAL_CARD,
                payment=facets.payment,
                parcel=facets.parcel,
                stock=facets.stock,
                hold=facets.hold,
                refunded=0,
                status=status_of(facets),
                message="received",
                resume_at=now,
                **NEW,
            )
            .on_conflict_do_nothing()
            .returning(col(OrderRow.id))
        )
        if added.scalar_one_or_none() is not None:
            if first_attempt != 1:
                raise NoNewAttempt(order_id, "it is a new order, which begins with attempt 1")
            return Placed(order_id, new=True)
        known: dict[str, Any] = (await session.exec(select(col(OrderRow.request)).where(col(OrderRow.id) == order_id))).one()
        if paths := differences(known, stored):
            raise OrderDiffers(order_id, paths)
        return Placed(order_id, new=False)


async def raise_attempt(order_id: str, attempt: int, payment_method: str | None = None, *, by: str | None = None) -> None:
    """
    Start attempt number ``attempt``, possibly with another payment method, at the word of ``by``; the same number again changes nothing.

    One compare-and-set, allowed from payment_failed and out_of_stock only: starting, retrying or resuming a run never raises the attempt.

    Raises:
        NoSuchOrder: It does not exist.
        NoNewAttempt: The number does not follow, the order's state allows none, or the number was used with another payment method.
    """
    async with transaction() as session:
        row, now = await locked(session, order_id)
        await begin_attempt(session, row, now, attempt, payment_method, by=by)


async def begin_attempt(
    session: AsyncSession, row: OrderRow, now: datetime, attempt: int, payment_method: str | None = None, *, by: str | None
) -> None:
    """Start that attempt of the locked order. Raises ``NoNewAttempt`` like ``raise_attempt``, before anything is written."""
    if attempt == row.attempt:
        if payment_method not in (None, row.payment_method):
            raise NoNewAttempt(row.id, f"attempt {attempt} has another payment method already; the next number is {attempt + 1}")
        return
    if attempt != row.attempt + 1:
        raise NoNewAttempt(row.id, f"it stands at attempt {row.attempt}, so the next number is {row.attempt + 1}")
    if row.status not in (Status.PAYMENT_FAILED, Status.OUT_OF_STOCK):
        raise NoNewAttempt(row.id, f"it is {row.status}, and only payment_failed and out_of_stock can be tried anew")
    if await put_back(session, row.id, row.attempt):  # a run died, or was overtaken, before it could
        await record(session, row, StockReleased(attempt=row.attempt), source="person")
    facets = anew(facets_of(row), attempt)
    row.attempt = attempt
    row.payment_method = payment_method or row.payment_method
    row.message = f"attempt {attempt} begins"
    row.next_action = None
    row.earlier_payment_id, row.payment_id = row.payment_id or row.earlier_payment_id, None
    await taken_up(session, row, now, by)
    write_facets(row, facets)


async def go_on(order_id: str, *, by: str | None = None) -> None:
    """
    Let an order that needed attention, was parked, or waits for the customer's payment go on now, at the word of ``by``.

    Raises:
        NoSuchOrder: It does not exist.
        NothingToResume: It waits for nothing of ours.
    """
    async with transaction() as session:
        row, now = await locked(session, order_id)
        if row.attention is None and row.resume_at is None and row.status != Status.AWAITING_PAYMENT:
            raise NothingToResume(order_id, row.status)
        await resume(session, row, now, by)


async def resume(session: AsyncSession, row: OrderRow, now: datetime, by: str | None) -> None:
    """Let the locked order go on at the word of ``by``: nobody has to look at it any more."""
    row.attention = None
    row.message = "taken up again"
    await taken_up(session, row, now, by)
    row.status = status_of(facets_of(row))
