"""Which failed webhooks of a repository are worth asking for again: those newer than the last ones seen to, that we really have not got."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.deploying import FailedDelivery, Hook
from hub.inbox_tables import NoticeRow
from hub.release_tables import HookLookRow
from hub.settings import settings
from hub.subject_rows import database_now

LOOK_EVERY_SECONDS = 60.0
"""A hook is looked at no more often than that; scaled."""
KEPT_SECONDS = 3 * 86_400.0
"""How long GitHub keeps deliveries: https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/viewing-webhook-deliveries"""
LATE_SECONDS = 60.0
"""A delivery may be listed so much later than it was begun. What failed so shortly before the last one seen is looked at once more."""
AT_ONCE = 30
"""So many deliveries of one hook are asked for in one look."""


async def begin_look(hook: Hook) -> datetime | None:
    """Commit that this hook is looked at now; return what the failures have to be newer than, None when it was looked at just now."""
    async with transaction() as session:
        now = await database_now(session)
        row = HookLookRow.__table__.c  # type: ignore[attr-defined]  # SQLModel does not declare it
        latest = now - timedelta(seconds=LOOK_EVERY_SECONDS * settings().time_scale)
        looking = insert(HookLookRow).values(hook=str(hook), looked_at=now, seen_until=now - timedelta(seconds=KEPT_SECONDS))
        again = looking.on_conflict_do_update(index_elements=[row.hook], set_={"looked_at": now}, where=row.looked_at < latest)
        seen: datetime | None = (await session.exec(again.returning(row.seen_until))).scalar_one_or_none()
        return None if seen is None else seen - timedelta(seconds=LATE_SECONDS)


async def not_here(provider: str, failed: Sequence[FailedDelivery]) -> list[FailedDelivery]:
    """Return those whose event is not in the inbox, each once, oldest first: GitHub counts as failed what we answered too late, too."""
    async with transaction() as session:
        guids = [one.guid for one in failed]
        mine = select(col(NoticeRow.event_id)).where(col(NoticeRow.provider) == provider, col(NoticeRow.event_id).in_(guids))
        here = set(await session.exec(mine))
    missing = {one.guid: one for one in failed if one.guid not in here}
    return sorted(missing.values(), key=lambda one: one.delivered_at)


async def end_look(hook: Hook, seen_until: datetime) -> None:
    """Commit that everything up to this moment was seen to."""
    async with transaction() as session:
        row = await session.get_one(HookLookRow, str(hook), with_for_update=True)
        row.seen_until = max(row.seen_until, seen_until)
