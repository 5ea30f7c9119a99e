"""Questions to people as the outside sees them: what is asked, by whom, until when, and how it was answered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlmodel import col, select

from hub.approvals import ApprovalRow, ApprovalState
from hub.database import transaction
from hub.facts import RefundAsked
from hub.tables import FactRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

PAGE = 50


class ApprovalView(BaseModel):
    """A question as the outside sees it; ``amount`` in minor units, ``item`` the refund's id, ``reason`` that of whoever asks."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    approval_id: int
    what: str
    subject_kind: str
    subject_id: str
    item: str
    amount: int
    currency: str
    reason: str | None
    requested_by: str
    state: ApprovalState
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class ApprovalPage(BaseModel):
    """Some questions, newest first, and the cursor of the next page."""

    model_config = ConfigDict(frozen=True)

    approvals: list[ApprovalView]
    cursor: int | None


class NoSuchApproval(Exception):
    """Nobody has asked this."""

    def __init__(self, approval_id: int) -> None:
        super().__init__(approval_id)
        self.approval_id = approval_id

    def __str__(self) -> str:
        return f"there is no approval {self.approval_id}; `hub approvals list` shows those that wait"


async def view_approval(approval_id: int) -> ApprovalView:
    """
    Return the question as it stands now.

    Raises:
        NoSuchApproval: Nobody has asked it.
    """
    async with transaction() as session:
        row = await session.get(ApprovalRow, approval_id)
        if row is None:
            raise NoSuchApproval(approval_id)
        return (await _views(session, [row]))[0]


async def list_approvals(state: ApprovalState | None = None, cursor: int | None = None, limit: int = PAGE) -> ApprovalPage:
    """Return a page of questions, newest first; ``cursor`` is where the last page ended."""
    wanted = select(ApprovalRow).order_by(col(ApprovalRow.id).desc()).limit(limit + 1)
    if state is not None:
        wanted = wanted.where(col(ApprovalRow.state) == state)
    if cursor is not None:
        wanted = wanted.where(col(ApprovalRow.id) < cursor)
    async with transaction() as session:
        rows = list(await session.exec(wanted))
        views = await _views(session, rows[:limit])
    return ApprovalPage(approvals=views, cursor=views[-1].approval_id if len(rows) > limit else None)


async def _views(session: AsyncSession, rows: Sequence[ApprovalRow]) -> list[ApprovalView]:
    """Return the rows as views, with the reasons that stand in the stories of what they are about."""
    asked = select(FactRow).where(
        col(FactRow.kind) == RefundAsked.model_fields["kind"].default, col(FactRow.subject_id).in_({row.subject_id for row in rows})
    )
    reasons = {(fact.subject_kind, fact.subject_id, fact.identity): fact.data["reason"] for fact in await session.exec(asked)}
    return [_view(row, reasons.get((row.subject_kind, row.subject_id, row.item))) for row in rows]


def _view(row: ApprovalRow, reason: Any) -> ApprovalView:
    fields = row.model_dump(exclude={"id", "run_id"})
    return ApprovalView(approval_id=row.id, reason=reason, **fields)
