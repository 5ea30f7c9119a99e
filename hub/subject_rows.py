"""The rows of subjects, whatever their kind: locked, and moved by facts that are recorded once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select

from hub.facts import Fact, TakenUp, identity_of
from hub.kinds import KINDS, kind_of
from hub.status_changes import changing
from hub.tables import HubIdentity, SubjectColumns, metadata

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

NEW: dict[str, Any] = {"attempt": 1, "epoch": 1, "fence": 0, "runs_without_progress": 0}
"""How the row of a subject begins, whatever its kind."""
NEWS = ("webhook", "reconciliation", "person", "late run")
_FACT = insert(metadata.tables["facts"]).on_conflict_do_nothing().returning(metadata.tables["facts"].c.at)


async def locked(session: AsyncSession, subject_id: str, kind: str = "order") -> tuple[Any, datetime]:
    """
    Lock the subject's row until the transaction ends, and return it with the database's time.

    One round trip: the time may be that of a moment before the lock was free, which only makes waits longer and a lease look younger than
    it is; the fence is what protects.

    Raises:
        NoSuchOrder: It does not exist; each kind has its own error.
    """
    found = (await session.exec(KINDS[kind].locked, params={"id": subject_id})).one_or_none()
    if found is None:
        raise KINDS[kind].missing(subject_id)
    return found[0], found[1]


async def locked_with_hub(session: AsyncSession, subject_id: str, kind: str = "order") -> tuple[Any, datetime, HubIdentity]:
    """Lock the subject's row like ``locked``, and return this hub's with it. Raises ``NoSuchOrder`` and its like."""
    found = (await session.exec(KINDS[kind].locked_with_hub, params={"id": subject_id})).one_or_none()
    if found is None:
        raise KINDS[kind].missing(subject_id)
    return found[0], found[1], found[2]


async def database_now(session: AsyncSession) -> datetime:
    """Return the database's time of this very moment, not of the transaction's begin."""
    moment: datetime = (await session.exec(select(func.clock_timestamp()))).one()
    return moment


async def record(session: AsyncSession, row: SubjectColumns, fact: Fact, *, source: str) -> bool:
    """
    Record ``fact`` about the locked subject and move its facets; return False when it was known already.

    What anything but the running step (``source`` other than ``run``) changes makes Prefect's cache stale; news from outside that leaves
    something to do makes the subject due.
    """
    kind = kind_of(row)
    values = {"subject_kind": kind.name, "subject_id": row.id, "kind": fact.kind, "identity": identity_of(fact), "source": source}
    added = await session.exec(_FACT, params=values | {"data": fact.model_dump(mode="json")})
    at = added.scalar_one_or_none()
    if at is None:
        return False
    row.progressed_at = at
    with changing(session, kind.name, row):
        moved = kind.move(row, fact)
    row.runs_without_progress = 0
    if source != "run" and (moved.changed or moved.to_do):
        row.epoch += 1
    if source in NEWS and moved.to_do:
        row.resume_at = row.progressed_at
    return True


async def taken_up(session: AsyncSession, row: SubjectColumns, now: datetime, by: str | None) -> None:
    """Make the locked subject due like ``take_up_again``, and note whose word that was, if somebody has given theirs."""
    if by is not None:
        await record(session, row, TakenUp(by=by, epoch=row.epoch), source="person")
    take_up_again(row, now)


def take_up_again(row: SubjectColumns, now: datetime) -> None:
    """Make the locked subject due, with the patience that a new one meets, and without Prefect's memory of how far it was."""
    row.epoch += 1
    row.resume_at = row.progressed_at = now
    row.runs_without_progress = 0


async def hub_identity(session: AsyncSession) -> HubIdentity:
    """Return the row that says which hub this database belongs to."""
    return (await session.exec(select(HubIdentity))).one()


async def as_it_is(session: AsyncSession, row: SubjectColumns) -> Any:
    """Return the row as a snapshot that belongs to no run: what news makes necessary is intended with it, and a run does it."""
    return snapshot(row, (await hub_identity(session)).hub_id, "", due=row.resume_at is not None)


def snapshot(row: SubjectColumns, hub_id: UUID, run_id: str, **more: Any) -> Any:
    """Return the row as the frozen value that a run works with."""
    return kind_of(row).snapshot(row, hub_id, run_id, **more)
