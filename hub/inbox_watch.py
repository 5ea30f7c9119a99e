"""
Who works through the inbox now, so that nobody is started beside them: a short claim on the one row there is, in database time.

It protects nothing, every notice is claimed for itself; it only spares runs that would compete.
"""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import delete, exists, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.inbox_tables import InboxWatchRow, NoticeRow
from hub.values import Frozen

WATCH_SECONDS = 3.0
"""A watch that is not prolonged for so long is over: its process is dead, or frozen."""
PROLONG_SECONDS = 1.0


class InboxWatch:
    """The watch over the inbox, as ``watcher`` has it or would like to."""

    def __init__(self, watcher: str) -> None:
        self._watcher = watcher
        self._prolonged_at = float("-inf")

    async def is_mine(self) -> bool:
        """Take the watch, or prolong it when it is time to; False when somebody else has it."""
        if time.monotonic() - self._prolonged_at < PROLONG_SECONDS:
            return True
        until = func.clock_timestamp() + timedelta(seconds=WATCH_SECONDS)
        free = (col(InboxWatchRow.until) <= func.clock_timestamp()) | (col(InboxWatchRow.watcher) == self._watcher)
        taken = insert(InboxWatchRow).values(id=1, watcher=self._watcher, until=until)
        asked_at = time.monotonic()
        async with transaction() as session:
            mine = await session.exec(
                taken.on_conflict_do_update(index_elements=["id"], set_={"watcher": self._watcher, "until": until}, where=free).returning(
                    col(InboxWatchRow.id)
                )
            )
            if mine.one_or_none() is None:
                return False
        self._prolonged_at = asked_at
        return True

    async def leave(self) -> None:
        """End the watch, if it is ours."""
        async with transaction() as session:
            await session.exec(delete(InboxWatchRow).where(col(InboxWatchRow.watcher) == self._watcher))


class Look(Frozen):
    """What a look at the inbox shows: ``waits``: something is due and not handled yet; ``watched``: somebody is at it."""

    waits: bool
    watched: bool


async def look(up_to: int) -> Look:
    """Return whether a notice up to this row id waits, and whether somebody works through the inbox."""
    due = exists().where(col(NoticeRow.next_at) <= func.clock_timestamp(), col(NoticeRow.id) <= up_to)
    watched = exists().where(col(InboxWatchRow.until) > func.clock_timestamp())
    async with transaction() as session:
        waits, somebody = (await session.exec(select(due, watched))).one()
        return Look(waits=waits, watched=somebody)
