"""Notices as operators see them: what was told, how far it is, and a way to have it handled again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import col, select

from hub.database import transaction
from hub.inbox_tables import NoticeRow
from hub.notices import NoticeState
from hub.subject_rows import database_now
from hub.values import Frozen

REPLAYED = (NoticeState.FAILED, NoticeState.QUARANTINED, NoticeState.EARLY, NoticeState.NOT_FOR_US)


class NoticeView(Frozen):
    """One notice without its content, which may hold personal data. ``subject`` is e.g. ``order:o-1001``."""

    id: int
    provider: str
    kind: str
    event_id: str
    state: NoticeState
    outcome: str | None
    subject: str | None
    tries: int
    received_at: datetime
    handled_at: datetime | None


class NoSuchNotice(Exception):
    """There is no notice with this number."""

    def __init__(self, notice_id: int) -> None:
        super().__init__(notice_id)
        self.notice_id = notice_id

    def __str__(self) -> str:
        return f"there is no notice {self.notice_id}; see `hub notices list`"


class NothingToReplay(Exception):
    """The notice was applied, and applying it again would change nothing."""

    def __init__(self, notice_id: int, why: str) -> None:
        super().__init__(notice_id, why)
        self.notice_id, self.why = notice_id, why

    def __str__(self) -> str:
        return f"notice {self.notice_id} is not replayed: {self.why}"


async def list_notices(state: NoticeState | None = None, provider: str | None = None, limit: int = 50) -> list[NoticeView]:
    """Return the newest notices first."""
    wanted = select(NoticeRow).order_by(col(NoticeRow.id).desc()).limit(limit)
    if state is not None:
        wanted = wanted.where(col(NoticeRow.state) == state)
    if provider is not None:
        wanted = wanted.where(col(NoticeRow.provider) == provider)
    async with transaction() as session:
        return [_view(row) for row in await session.exec(wanted)]


async def count_notices() -> list[tuple[str, str, str, int]]:
    """Return how many notices there are by provider, kind and state."""
    columns = (col(NoticeRow.provider), col(NoticeRow.kind), col(NoticeRow.state))
    async with transaction() as session:
        rows = await session.exec(select(*columns, func.count()).group_by(*columns).order_by(*columns))
        return [(row[0], row[1], row[2], row[3]) for row in rows]


async def view_notice(notice_id: int) -> tuple[NoticeView, bytes | None]:
    """
    Return a notice and its content, exactly as it came.

    Raises:
        NoSuchNotice: It does not exist.
    """
    async with transaction() as session:
        row = await session.get(NoticeRow, notice_id)
    if row is None:
        raise NoSuchNotice(notice_id)
    return _view(row), row.content


async def notices_about(kind: str, subject_id: str, limit: int = 200) -> list[NoticeView]:
    """Return the first notices that were about the subject, oldest first."""
    mine = (col(NoticeRow.subject_kind) == kind, col(NoticeRow.subject_id) == subject_id)
    async with transaction() as session:
        return [_view(row) for row in await session.exec(select(NoticeRow).where(*mine).order_by(col(NoticeRow.id)).limit(limit))]


async def replay_notice(notice_id: int, *, by: str | None = None) -> None:
    """
    Make a notice that was not applied due again, with ten new tries, at the word of ``by``.

    Raises:
        NoSuchNotice: It does not exist.
        NothingToReplay: It is handled or waits to be, or its content was cleared away.
    """
    async with transaction() as session:
        row = await session.get(NoticeRow, notice_id, with_for_update=True)
        if row is None:
            raise NoSuchNotice(notice_id)
        if row.state not in REPLAYED:
            raise NothingToReplay(notice_id, f"it is {row.state}")
        if row.content is None:
            raise NothingToReplay(notice_id, "its content was cleared away")
        row.state, row.tries, row.handled_at, row.waits_for = NoticeState.KEPT, 0, None, None
        row.next_at = await database_now(session)
        row.outcome = None if by is None else f"replayed by {by}"


async def replay_all(state: NoticeState) -> int:
    """Make all notices of this state due again; returns how many."""
    again = update(NoticeRow).where(col(NoticeRow.state) == state, col(NoticeRow.content).is_not(None))
    fresh = {"state": NoticeState.KEPT, "tries": 0, "handled_at": None, "waits_for": None, "next_at": func.clock_timestamp()}
    async with transaction() as session:
        return (await session.exec(again.values(**fresh))).rowcount


def _view(row: NoticeRow) -> NoticeView:
    return NoticeView(
        id=row.id,
        provider=row.provider,
        kind=row.kind,
        event_id=row.event_id,
        state=NoticeState(row.state),
        outcome=row.outcome,
        subject=None if row.subject_id is None else f"{row.subject_kind}:{row.subject_id}",
        tries=row.tries,
        received_at=row.received_at,
        handled_at=row.handled_at,
    )
