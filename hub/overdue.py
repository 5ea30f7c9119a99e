"""Parcels that nobody moves on: the warehouse does not pack them, or no carrier takes them along, for longer than that may take."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func
from sqlmodel import col, select

from hub.database import transaction
from hub.facets import Status
from hub.facts import AttentionNeeded
from hub.settings import settings
from hub.subject_rows import database_now, record
from hub.tables import OrderRow


async def call_for_overdue_parcels() -> list[str]:
    """
    Mark the orders whose parcel the warehouse was told of and that nobody has moved on in time as needing attention, once for each wait.

    Returns their ids; the next run tells the team. Nothing is undone.
    """
    limits = {Status.CONFIRMED: settings().packed_within_seconds, Status.PACKED: settings().picked_up_within_seconds}
    return [order_id for status, seconds in limits.items() for order_id in await _overdue(status, seconds * settings().time_scale)]


async def _overdue(status: Status, seconds: float) -> list[str]:
    waited = col(OrderRow.waits_since) < func.clock_timestamp() - timedelta(seconds=seconds)
    late = select(OrderRow).where(waited, col(OrderRow.status) == status)
    async with transaction() as session:
        rows = list(await session.exec(late.limit(200).with_for_update(skip_locked=True)))
        for row in rows:
            reason = overdue_reason(status)
            await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="clock")
            row.waits_since, row.resume_at = None, await database_now(session)
        return [row.id for row in rows]


def overdue_reason(status: Status) -> str:
    """Return what a person has to look at where a parcel has stood still at ``status`` for too long."""
    if status is Status.PACKED:
        return "nobody has picked the packed parcel up in time; ask the warehouse, and the carrier"
    return "the warehouse has not packed the parcel in time; ask it what became of the pick ticket"
