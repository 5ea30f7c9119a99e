"""What a person has to look at, whatever it is: subjects that need attention, notices that nobody could apply, approvals that wait."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import col, select

from hub.approvals import ApprovalRow, ApprovalState
from hub.database import transaction
from hub.inbox_tables import NoticeRow
from hub.kinds import KINDS
from hub.money import Money
from hub.notices import NoticeState
from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


NOTICE, APPROVAL = "notice", "approval"


class Attention(Frozen):
    """
    One thing to look at. ``what`` is e.g. ``order o-1001`` or ``notice 17``; ``then`` the command that follows once it is mended.

    ``kind`` and ``id``: the subject, the notice, or the subject that an approval (``kind`` is ``approval``) is about.
    """

    kind: str
    id: str
    what: str
    since: datetime
    reason: str
    then: str


async def attention_list(limit: int = 100) -> list[Attention]:
    """Return what needs attention, longest waiting first."""
    async with transaction() as session:
        found = [one for kind in KINDS for one in await _subjects(session, kind, limit)]
        found += await _notices(session, limit) + await _approvals(session, limit)
    return sorted(found, key=lambda one: one.since)[:limit]


async def _subjects(session: AsyncSession, kind: str, limit: int) -> list[Attention]:
    row = KINDS[kind].row
    rows = await session.exec(select(row).where(col(row.attention).is_not(None)).order_by(col(row.progressed_at)).limit(limit))
    return [
        Attention(
            kind=kind,
            id=one.id,
            what=f"{kind} {one.id}",
            since=one.progressed_at,
            reason=one.attention or "",
            then=f"hub {kind} retry {one.id}",
        )
        for one in rows
    ]


async def _notices(session: AsyncSession, limit: int) -> list[Attention]:
    stuck = select(NoticeRow).where(col(NoticeRow.state).in_((NoticeState.FAILED, NoticeState.QUARANTINED)))
    rows = await session.exec(stuck.order_by(col(NoticeRow.id)).limit(limit))
    return [
        Attention(
            kind=NOTICE,
            id=str(one.id),
            what=f"notice {one.id}",
            since=one.received_at,
            reason=f"{one.state}: {one.provider} {one.kind}: {one.outcome or 'it is not what this provider sends'}",
            then=f"hub notices replay {one.id}",
        )
        for one in rows
    ]


async def _approvals(session: AsyncSession, limit: int) -> list[Attention]:
    waiting = select(ApprovalRow).where(col(ApprovalRow.state) == ApprovalState.OPEN).order_by(col(ApprovalRow.id)).limit(limit)
    return [
        Attention(
            kind=APPROVAL,
            id=one.subject_id,
            what=f"{one.what} {one.item} of {one.subject_kind} {one.subject_id}",
            since=one.created_at,
            reason=f"{one.requested_by} asks for {_amount_of(one)}; expires {one.expires_at:%Y-%m-%d %H:%M} UTC",
            then=f"hub approvals decide {one.id} --approve (or --reject); or in Slack, or in the Prefect UI, its run of refund-order",
        )
        for one in await session.exec(waiting)
    ]


def _amount_of(approval: ApprovalRow) -> Money:
    return Money(amount=approval.amount, currency=approval.currency)
