"""A confirmed order's parcel: what the warehouse is told, which carrier is sent for, and what of that has to be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, exists, update
from sqlmodel import col, or_, select

from hub.beginning import intend_once
from hub.database import transaction
from hub.labels import parcel_reference
from hub.parcels import PickupRequest, Quote
from hub.pick_tickets import PickLine, PickTicket, TicketCancellation
from hub.settings import settings
from hub.steps import EffectState
from hub.subject_rows import as_it_is, database_now
from hub.tables import AttemptRow, EffectRow, OrderRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.effects import Effect
    from hub.orders import Order
    from hub.parcels import Label
    from hub.pick_tickets import TakenTicket

PICK_TICKET, PICKUP = "pick-ticket", "pickup"
COMES_WHEN_ASKED = ("USPS", "DHL Express")
"""The carriers that Shippo sends for a parcel: https://docs.goshippo.com/manifests-and-pickups/pickups"""


def pick_ticket(order: Order, label: Label) -> Effect:
    """Return what the warehouse is told about the order."""
    lines = tuple(PickLine(product_id=item.product_id, quantity=item.quantity) for item in order.request.items)
    ticket = PickTicket(
        order_id=order.id, lines=lines, tracking_number=label.tracking_number, label_url=label.label_url, at=datetime.now(UTC)
    )
    return order.effect(PICK_TICKET, ticket)


def cancellation_of(order: Order, ticket: TakenTicket) -> Effect:
    """Return what the warehouse is told when the order's parcel is not to leave."""
    request = TicketCancellation(order_id=order.id, ticket_id=ticket.ticket_id, at=datetime.now(UTC))
    return order.effect(f"cancel-{PICK_TICKET}", request)


async def ticket_of(order: Order) -> Effect | None:
    """Return the pick ticket that the warehouse has, or may have; None when it was sent none."""
    async with transaction() as session:
        (row, *_) = [*await _effects(session, order.id, PICK_TICKET), None]
    return None if row is None else order.effect(row.step, PickTicket.model_validate(row.request), attempt=row.attempt)


async def intend_pickup(session: AsyncSession, row: OrderRow) -> None:
    """
    Intend that the carrier comes for the locked order's packed parcel; the next run asks for it.

    Only where the hub has told the warehouse: from now on the carrier is waited for; and it is asked only if it comes when it is asked.
    """
    if not await _effects(session, row.id, PICK_TICKET):
        return
    row.waits_since = row.progressed_at
    order: Order = await as_it_is(session, row)
    quotes = [Quote.model_validate(quote.result) for quote in await _effects(session, row.id, "quote") if quote.result is not None]
    for label in await _effects(session, row.id, "label"):
        if (label.result or {}).get("tracking_number") != row.tracking_number:
            continue
        rate = next(rate for quote in quotes for rate in quote.rates if rate.rate_id == label.request["rate_id"])
        if rate.carrier in COMES_WHEN_ASKED and rate.carrier_account is not None:
            await intend_once(session, order.effect(PICKUP, await _pickup(session, order, rate.carrier_account, label)))
            row.resume_at = await database_now(session)


async def _pickup(session: AsyncSession, order: Order, carrier_account: str, label: EffectRow) -> PickupRequest:
    now = await database_now(session)
    return PickupRequest(
        carrier_account=carrier_account,
        label_id=label.reference or "",
        place=settings().warehouse,
        earliest=now,
        latest=now + timedelta(seconds=settings().picked_up_within_seconds),
        reference=parcel_reference(order, PICKUP),
    )


async def forget_pickup(session: AsyncSession, row: OrderRow) -> None:
    """End a pick-up of the locked order that was intended and never asked for: its parcel has left, or is not to leave."""
    mine = (col(EffectRow.subject_kind) == "order", col(EffectRow.subject_id) == row.id, col(EffectRow.step) == PICKUP)
    over = update(EffectRow).where(*mine, col(EffectRow.state) == EffectState.INTENDED, ~_unheard())
    await session.exec(over.values(state=EffectState.REFUSED, code="superseded", resume_at=None))


async def scheduled_pickup(session: AsyncSession, order: Order) -> str | None:
    """Return what the carrier calls the pick-up that it may come for, or None when nobody comes."""
    (row, *_) = [*await _effects(session, order.id, PICKUP), None]
    return None if row is None else (row.result or {}).get("confirmation") or row.reference or "unconfirmed"


async def _effects(session: AsyncSession, order_id: str, name: str) -> list[EffectRow]:
    """Return the order's effects of this step, or of its numbered repetitions, that have happened or may have."""
    mine = (col(EffectRow.subject_kind) == "order", col(EffectRow.subject_id) == order_id)
    named = or_(col(EffectRow.step) == name, col(EffectRow.step).startswith(f"{name}."))
    state = col(EffectRow.state)
    happened = or_(state.in_((EffectState.DONE, EffectState.UNKNOWN)), and_(state == EffectState.INTENDED, _unheard()))
    return list(await session.exec(select(EffectRow).where(*mine, named, happened).order_by(col(EffectRow.created_at))))


def _unheard() -> ColumnElement[bool]:
    """A call of the effect is under way, or its process died while it was."""
    return exists().where(col(AttemptRow.effect_key) == col(EffectRow.key), col(AttemptRow.outcome).is_(None))
