"""What is due: subjects whose ``resume_at`` has come and that nobody holds, and runs that died while they held one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, exists, func, or_, update
from sqlmodel import col, select

from hub.database import transaction
from hub.facts import AttentionNeeded
from hub.kinds import KINDS, Kind, kind_of
from hub.policies import RESTART
from hub.subject_rows import database_now, hub_identity, locked, record
from hub.tables import RunRow, SubjectColumns


@dataclass(frozen=True)
class DueSubject:
    """A subject to start a run for. ``run_key`` is that run's idempotency key: the same claim never gets two."""

    kind: str
    id: str
    attempt: int
    fence: int
    run_key: str


def run_key(hub_id: object, row: SubjectColumns) -> str:
    """Return the idempotency key of the run that takes the subject next."""
    return f"{hub_id}:{kind_of(row).name}:{row.id}:{row.attempt}:{row.fence}"


async def next_run_key(subject_id: str, kind: str = "order") -> str | None:
    """Return the key for the run that takes the subject next, or None when it is not due, in somebody's hands, or nothing may be asked."""
    async with transaction() as session:
        row, now = await locked(session, subject_id, kind)
        if row.resume_at is None or row.resume_at > now or (row.lease_until is not None and row.lease_until > now):
            return None
        hub = await hub_identity(session)
        return None if hub.recovering else run_key(hub.hub_id, row)


async def due_subjects(limit: int = 200, only: Collection[tuple[str, str]] | None = None) -> list[DueSubject]:
    """
    Return the subjects that are due and free, of each kind those first that wait longest; not those that got nowhere too often.

    ``only``: among these, given as pairs of kind and id.
    """
    return [due for kind in KINDS.values() for due in await _due_of(kind, limit, only)]


async def _due_of(kind: Kind, limit: int, only: Collection[tuple[str, str]] | None) -> list[DueSubject]:
    row = kind.row
    free = or_(col(row.lease_until).is_(None), col(row.lease_until) <= func.clock_timestamp())
    wanted = select(row).where(col(row.resume_at) <= func.clock_timestamp(), free)
    if only is not None:
        ids = [subject_id for name, subject_id in only if name == kind.name]
        if not ids:
            return []
        wanted = wanted.where(col(row.id).in_(ids))
    async with transaction() as session:
        hub = await hub_identity(session)
        if hub.recovering:
            return []
        found = await session.exec(wanted.order_by(col(row.resume_at)).limit(limit).with_for_update(skip_locked=True))
        return [_due(hub.hub_id, one) for one in found if one.runs_without_progress < RESTART.attempts]


def _due(hub_id: object, row: SubjectColumns) -> DueSubject:
    return DueSubject(kind_of(row).name, row.id, row.attempt, row.fence, run_key(hub_id, row))


async def give_up_the_hopeless() -> list[tuple[str, str]]:
    """
    Mark due subjects that 8 runs or 24 h brought no further as needing attention; return their kinds and ids. The next run tells the team.

    One that no run has tried since it last got further is not hopeless but late, however long nobody swept.
    """
    return [(kind.name, subject_id) for kind in KINDS.values() for subject_id in await _hopeless_of(kind)]


async def _hopeless_of(kind: Kind) -> list[str]:
    table = kind.row
    tried = exists().where(
        col(RunRow.subject_kind) == kind.name,
        col(RunRow.subject_id) == col(table.id),
        col(RunRow.started_at) > col(table.progressed_at),
    )
    stuck = or_(
        col(table.runs_without_progress) >= RESTART.attempts,
        and_(col(table.progressed_at) < func.clock_timestamp() - timedelta(seconds=RESTART.budget_seconds), tried),
    )
    async with transaction() as session:
        now = await database_now(session)
        free = or_(col(table.lease_until).is_(None), col(table.lease_until) <= now)
        due = select(table).where(col(table.resume_at) <= now, free, col(table.attention).is_(None), stuck)
        hopeless = list(await session.exec(due.with_for_update(skip_locked=True)))
        for row in hopeless:
            reason = f"{row.runs_without_progress} runs brought it no further since {row.progressed_at:%Y-%m-%d %H:%M}; last: {row.message}"
            await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="sweep")
            row.resume_at = now
        return [row.id for row in hopeless]


async def dead_runs() -> list[str]:
    """Note the end of runs whose lease ran out while they held a subject; return their flow run ids. Waits for nobody who stands still."""
    return [run_id for kind in KINDS.values() for run_id in await _dead_runs_of(kind)]


async def _dead_runs_of(kind: Kind) -> list[str]:
    row = kind.row
    async with transaction() as session:
        dead = (
            select(col(RunRow.id))
            .join(row, col(RunRow.subject_id) == col(row.id))
            .where(col(RunRow.ended_at).is_(None), col(RunRow.subject_kind) == kind.name)
            .where(or_(col(RunRow.fence) < col(row.fence), col(row.lease_until) <= func.clock_timestamp()))
            .with_for_update(of=RunRow, skip_locked=True)
        )
        died = update(RunRow).where(col(RunRow.id).in_(dead)).values(ended_at=func.clock_timestamp(), ended_as="died")
        return [found[0] for found in await session.exec(died.returning(col(RunRow.run_id)))]


async def live_runs() -> set[str]:
    """Return the flow run ids that hold a subject now."""
    alive: set[str] = set()
    async with transaction() as session:
        for kind in KINDS.values():
            holders = select(col(kind.row.lease_owner)).where(col(kind.row.lease_until) > func.clock_timestamp())
            alive |= {owner for owner in await session.exec(holders) if owner is not None}
    return alive


async def skip_fence(due: DueSubject) -> DueSubject | None:
    """Raise the fence of a subject whose next run ended before it took it, so that another can be started; None if it moved on."""
    async with transaction() as session:
        row, now = await locked(session, due.id, due.kind)
        if row.fence != due.fence or (row.lease_until is not None and row.lease_until > now):
            return None
        row.fence += 1
        return _due((await hub_identity(session)).hub_id, row)
