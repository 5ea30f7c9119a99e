"""What a person has to look at, whatever it is: subjects that need attention, and notices that nobody could apply."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import col, select

from hub.database import transaction
from hub.inbox_tables import NoticeRow
from hub.kinds import KINDS
from hub.notices import NoticeState
from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


class Attention(Frozen):
    """One thing to look at. ``what`` is e.g. ``order o-1001`` or ``notice 17``; ``then`` the command that follows once it is mended."""

    what: str
    since: datetime
    reason: str
    then: str


async def attention_list(limit: int = 100) -> list[Attention]:
    """Return what needs attention, longest waiting first."""
    async with transaction() as session:
        found = [one for kind in KINDS for one in await _subjects(session, kind, limit)] + await _notices(session, limit)
    return sorted(found, key=lambda one: one.since)[:limit]


async def _subjects(session: AsyncSession, kind: str, limit: int) -> list[Attention]:
    row = KINDS[kind].row
    rows = await session.exec(select(row).where(col(row.attention).is_not(None)).order_by(col(row.progressed_at)).limit(limit))
    return [
        Attention(what=f"{kind} {one.id}", since=one.progressed_at, reason=one.attention or "", then=f"hub {kind} retry {one.id}")
        for one in rows
    ]


async def _notices(session: AsyncSession, limit: int) -> list[Attention]:
    stuck = select(NoticeRow).where(col(NoticeRow.state).in_((NoticeState.FAILED, NoticeState.QUARANTINED)))
    rows = await session.exec(stuck.order_by(col(NoticeRow.id)).limit(limit))
    return [
        Attention(
            what=f"notice {one.id}",
            since=one.received_at,
            reason=f"{one.state}: {one.provider} {one.kind}: {one.outcome or 'it is not what this provider sends'}",
            then=f"hub notices replay {one.id}",
        )
        for one in rows
    ]
