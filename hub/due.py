"""What is due: orders whose ``resume_at`` has come and that nobody holds, and runs that died while they held one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, exists, func, or_, true, update
from sqlmodel import col, select

from hub.database import transaction
from hub.facts import AttentionNeeded
from hub.order_rows import hub_identity, locked, record
from hub.policies import OPEN_AT_MOST_SECONDS, RESTART
from hub.tables import OrderRow, RunRow


@dataclass(frozen=True)
class DueOrder:
    """An order to start a run for. ``run_key`` is that run's idempotency key: the same claim never gets two."""

    order_id: str
    attempt: int
    fence: int
    run_key: str


def run_key(hub_id: object, order_id: str, attempt: int, fence: int) -> str:
    """Return the idempotency key of the run that takes the order next."""
    return f"{hub_id}:order:{order_id}:{attempt}:{fence}"


async def next_run_key(order_id: str) -> str | None:
    """Return the key for the run that takes the order next, or None when it is not due or in somebody's hands."""
    async with transaction() as session:
        row, now = await locked(session, order_id)
        if row.resume_at is None or row.resume_at > now or (row.lease_until is not None and row.lease_until > now):
            return None
        return run_key((await hub_identity(session)).hub_id, row.id, row.attempt, row.fence)


async def due_orders(limit: int = 200, only: Sequence[str] | None = None) -> list[DueOrder]:
    """Return the orders (``only``: among these) that are due and free, longest waiting first; not those that got nowhere too often."""
    free = or_(col(OrderRow.lease_until).is_(None), col(OrderRow.lease_until) <= func.clock_timestamp())
    async with transaction() as session:
        hub_id = (await hub_identity(session)).hub_id
        rows = list(
            await session.exec(
                select(OrderRow)
                .where(col(OrderRow.resume_at) <= func.clock_timestamp(), free)
                .where(true() if only is None else col(OrderRow.id).in_(only))
                .order_by(col(OrderRow.resume_at))
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )
        return [
            DueOrder(row.id, row.attempt, row.fence, run_key(hub_id, row.id, row.attempt, row.fence))
            for row in rows
            if row.runs_without_progress < RESTART.attempts
        ]


async def give_up_the_hopeless() -> list[str]:
    """
    Mark due orders that 8 runs or 24 h brought no further as needing attention; return their ids.

    An order that no run has tried since it last got further is not hopeless but late, however long nobody swept.
    """
    tried = exists().where(
        col(RunRow.subject_kind) == "order",
        col(RunRow.subject_id) == col(OrderRow.id),
        col(RunRow.started_at) > col(OrderRow.progressed_at),
    )
    stuck = or_(
        col(OrderRow.runs_without_progress) >= RESTART.attempts,
        and_(col(OrderRow.progressed_at) < func.clock_timestamp() - timedelta(seconds=OPEN_AT_MOST_SECONDS), tried),
    )
    async with transaction() as session:
        due = select(col(OrderRow.id)).where(col(OrderRow.resume_at) <= func.clock_timestamp(), col(OrderRow.attention).is_(None), stuck)
        hopeless = []
        for order_id in list(await session.exec(due)):
            row, now = await locked(session, order_id)
            if row.lease_until is not None and row.lease_until > now:
                continue
            reason = f"{row.runs_without_progress} runs brought it no further since {row.progressed_at:%Y-%m-%d %H:%M}; last: {row.message}"
            await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="sweep")
            row.resume_at = None
            hopeless.append(order_id)
        return hopeless


async def dead_runs() -> list[str]:
    """Note the end of runs whose lease ran out while they held an order; return their flow run ids."""
    async with transaction() as session:
        died = await session.exec(
            update(RunRow)
            .where(col(RunRow.ended_at).is_(None), col(RunRow.subject_id) == col(OrderRow.id))
            .where(or_(col(RunRow.fence) < col(OrderRow.fence), col(OrderRow.lease_until) <= func.clock_timestamp()))
            .values(ended_at=func.clock_timestamp(), ended_as="died")
            .returning(col(RunRow.run_id))
        )
        return [row[0] for row in died]


async def live_runs() -> set[str]:
    """Return the flow run ids that hold an order now."""
    async with transaction() as session:
        holders = select(col(OrderRow.lease_owner)).where(col(OrderRow.lease_until) > func.clock_timestamp())
        return {owner for owner in await session.exec(holders) if owner is not None}


async def skip_fence(order: DueOrder) -> DueOrder | None:
    """Raise the fence of an order whose next run ended before it took the order, so that another can be started; None if it moved on."""
    async with transaction() as session:
        row, now = await locked(session, order.order_id)
        if row.fence != order.fence or (row.lease_until is not None and row.lease_until > now):
            return None
        row.fence += 1
        hub_id = (await hub_identity(session)).hub_id
        return DueOrder(row.id, row.attempt, row.fence, run_key(hub_id, row.id, row.attempt, row.fence))
