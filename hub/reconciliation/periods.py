"""Which reconciliations there were: begun once under an id, finished with a report, told to the team once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.messages import TeamMessage
from hub.reconciliation.reports import Report
from hub.reconciliation.seen import Period
from hub.reconciliation_tables import ReconciliationRow, SightingRow
from hub.settings import settings
from hub.subject_rows import database_now, hub_identity
from hub.values import Frozen

PERIOD = timedelta(hours=48)
"""What is compared unless a person says otherwise: each object on two days, so that one reconciliation may fail."""
YOUNG_SECONDS = 300.0
"""What is younger is left out unless a person names it: news of it may still be on its way; scaled."""


class NotAPeriod(ValueError):
    """It ends before it begins, or lies in the future."""

    def __str__(self) -> str:
        return "a period begins before it ends, and not in the future"


class Begun(Frozen):
    """A reconciliation that is under way. ``posted``: the team was told already."""

    id: str
    period: Period
    started_at: datetime
    posted: bool = False


class Finished(Frozen):
    """What a reconciliation has found, when it was finished, and how long ago."""

    at: datetime
    age: timedelta
    report: Report


async def begin_reconciliation(reconciliation_id: str, since: datetime | None = None, until: datetime | None = None) -> Begun:
    """
    Commit what is compared under this id, and return it; begun again it is the same period.

    Raises:
        NotAPeriod: It ends before it begins, or lies in the future.
    """
    async with transaction() as session:
        now = await database_now(session)
        end = now - timedelta(seconds=YOUNG_SECONDS * settings().time_scale) if until is None else min(until, now)
        begin = end - PERIOD if since is None else since
        if begin >= end:
            raise NotAPeriod
        new = insert(ReconciliationRow).values(id=reconciliation_id, since=begin, until=end)
        await session.exec(new.on_conflict_do_nothing())
        row = await session.get_one(ReconciliationRow, reconciliation_id)
        period = Period(since=row.since, until=row.until)
        return Begun(id=row.id, period=period, started_at=row.started_at, posted=row.posted is not None)


async def finish_reconciliation(report: Report) -> None:
    """Commit what was found, and forget what was seen on the way; also by those that were begun before, and perhaps died."""
    async with transaction() as session:
        row = await session.get_one(ReconciliationRow, report.id, with_for_update=True)
        row.finished_at, row.outcome = await database_now(session), report.model_dump(mode="json")
        row.audit_heads = report.audit_heads
        over = select(col(ReconciliationRow.id)).where(col(ReconciliationRow.started_at) <= row.started_at)
        await session.exec(delete(SightingRow).where(col(SightingRow.reconciliation_id).in_(over)))


async def report_of(reconciliation_id: str) -> Report | None:
    """Return what a reconciliation has found; None as long as it is under way."""
    async with transaction() as session:
        row = await session.get(ReconciliationRow, reconciliation_id)
    return None if row is None or row.outcome is None else Report.model_validate(row.outcome)


async def last_report() -> Finished | None:
    """Return what the reconciliation has found that was finished last; None when none was."""
    finished = col(ReconciliationRow.finished_at)
    latest = select(ReconciliationRow, func.clock_timestamp()).where(finished.is_not(None)).order_by(finished.desc()).limit(1)
    async with transaction() as session:
        found = (await session.exec(latest)).first()
    if found is None or found[0].finished_at is None:
        return None
    row, now = found
    return Finished(at=row.finished_at, age=now - row.finished_at, report=Report.model_validate(row.outcome))


async def digest_of(report: Report) -> tuple[TeamMessage, str]:
    """Return the message with which the team is told, and the provider key that it carries."""
    async with transaction() as session:
        hub_id = (await hub_identity(session)).hub_id
    metadata = {"hub_id": str(hub_id), "reconciliation_id": report.id}
    message = TeamMessage(channel=settings().team_channel, text=report.text(), metadata=metadata)
    return message, f"{hub_id}:reconciliation:{report.id}:digest:1"


async def note_posted(reconciliation_id: str, timestamp: str) -> None:
    """Commit that the team was told."""
    async with transaction() as session:
        row = await session.get_one(ReconciliationRow, reconciliation_id, with_for_update=True)
        row.posted = row.posted or timestamp
