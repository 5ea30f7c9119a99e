"""Answers to what a person was asked: decided once, by somebody who may, with all that follows in the same commit."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import col, select

from hub.approval_views import NoSuchApproval
from hub.approvals import FORM, HUB, ApprovalRow, ApprovalState, approval_of, end, form_may_answer
from hub.database import transaction
from hub.money import Money
from hub.refunds import decline, grant, refund_asked
from hub.settings import settings
from hub.subject_rows import hub_identity, locked
from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.tables import OrderRow


class NotDecided(Exception):
    """This answer does not count; ``why`` says so. The question stays as it is."""

    def __init__(self, approval: str, why: str) -> None:
        super().__init__(approval, why)
        self.approval, self.why = approval, why

    def __str__(self) -> str:
        return f"{self.approval}: {self.why}"


class Question(Frozen):
    """An open question that a form may ask: about what, and for how many seconds more."""

    approval_id: int
    what: str
    by: str
    seconds: float


class Form(Frozen):
    """A flow run that shows, or is to show, a form; ``key`` is that run's idempotency key."""

    approval_id: int
    order_id: str
    refund_id: str
    key: str
    run_id: str | None


async def decide_approval(approval_id: int, *, approve: bool, by: str) -> ApprovalState:
    """
    Answer the question and commit what follows; return how it stands. The same answer by the same person again changes nothing.

    Raises:
        NoSuchApproval: Nobody has asked it.
        NotDecided: ``by`` may not, or it has been answered otherwise.
    """
    async with transaction() as session:
        approval = await session.get(ApprovalRow, approval_id)
        if approval is None:
            raise NoSuchApproval(approval_id)
        row, now = await locked(session, approval.subject_id, approval.subject_kind)
        await session.refresh(approval)
        return await decide(session, row, approval, now, approve=approve, by=by)


async def decide(session: AsyncSession, row: OrderRow, approval: ApprovalRow, now: datetime, *, approve: bool, by: str) -> ApprovalState:
    """Answer a question about the locked order. Raises like ``decide_approval``."""
    name = f"{approval.what} {approval.item} of {approval.subject_kind} {approval.subject_id}"
    answer = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
    if by == FORM:
        approval.run_id = None  # it waits no longer
    if approval.state != ApprovalState.OPEN:
        if approval.state in (ApprovalState.EXPIRED, ApprovalState.WITHDRAWN, answer):
            return ApprovalState(approval.state)
        raise NotDecided(name, f"it was {approval.state} by {approval.decided_by} already")
    if approval.expires_at <= now:
        await _end(session, row, approval, ApprovalState.EXPIRED, HUB, now)
        return ApprovalState.EXPIRED
    if by == approval.requested_by:
        raise NotDecided(name, "whoever asks for it does not decide it")
    if not (form_may_answer(approval) if by == FORM else by in settings().approvers):
        raise NotDecided(name, f"{by} may not decide it; HUB_APPROVERS names those who may")
    await _end(session, row, approval, answer, by, now)
    return answer


async def expire_approvals() -> int:
    """End the questions that nobody has answered in time, and commit what follows; returns how many."""
    async with transaction() as session:
        late = select(ApprovalRow).where(
            col(ApprovalRow.state) == ApprovalState.OPEN, col(ApprovalRow.expires_at) <= func.clock_timestamp()
        )
        found = [(one.id, one.subject_id, one.subject_kind) for one in await session.exec(late.limit(200))]
    for approval_id, subject_id, kind in found:
        async with transaction() as session:
            row, now = await locked(session, subject_id, kind)
            approval = await session.get_one(ApprovalRow, approval_id)
            if approval.state == ApprovalState.OPEN:
                await _end(session, row, approval, ApprovalState.EXPIRED, HUB, now)
    return len(found)


async def question_for(order_id: str, refund_id: str, run_id: str) -> Question | None:
    """Return what this run's form has to ask, noting that it does; None when there is nothing to ask, or a form may not."""
    async with transaction() as session:
        row, now = await locked(session, order_id)
        approval = await approval_of(session, row.id, refund_id)
        if approval is None or approval.state != ApprovalState.OPEN or not form_may_answer(approval):
            return None
        approval.run_id = run_id
        asked = await refund_asked(session, order_id, refund_id)
        money = Money(amount=approval.amount, currency=approval.currency)
        return Question(
            approval_id=approval.id,
            what=f"refund {refund_id} of order {order_id}: {money}, because: {asked.reason}",
            by=approval.requested_by,
            seconds=max((approval.expires_at - now).total_seconds(), 1),
        )


async def forms_to_show() -> list[Form]:
    """Return the open questions for which no run shows a form, though one may."""
    async with transaction() as session:
        wanted = select(ApprovalRow).where(col(ApprovalRow.state) == ApprovalState.OPEN, col(ApprovalRow.run_id).is_(None))
        hub_id = (await hub_identity(session)).hub_id
        return [_form(one, hub_id) for one in await session.exec(wanted.limit(200)) if form_may_answer(one)]


async def forms_to_close() -> list[Form]:
    """Return the runs that show a form for what has been answered otherwise."""
    async with transaction() as session:
        over = select(ApprovalRow).where(col(ApprovalRow.state) != ApprovalState.OPEN, col(ApprovalRow.run_id).is_not(None))
        hub_id = (await hub_identity(session)).hub_id
        return [_form(one, hub_id) for one in await session.exec(over.limit(200))]


async def form_closed(form: Form) -> None:
    """Note that the run waits no longer."""
    async with transaction() as session:
        (await session.get_one(ApprovalRow, form.approval_id)).run_id = None


async def refund_run_key(order_id: str, refund_id: str) -> str:
    """Return the idempotency key of the run that sees to the refund."""
    async with transaction() as session:
        return _run_key((await hub_identity(session)).hub_id, order_id, refund_id)


def _form(approval: ApprovalRow, hub_id: object) -> Form:
    order_id, refund_id = approval.subject_id, approval.item
    key = _run_key(hub_id, order_id, refund_id)
    return Form(approval_id=approval.id, order_id=order_id, refund_id=refund_id, key=key, run_id=approval.run_id)


def _run_key(hub_id: object, order_id: str, refund_id: str) -> str:
    return f"{hub_id}:refund:{order_id}:{refund_id}"


async def _end(session: AsyncSession, row: OrderRow, approval: ApprovalRow, state: ApprovalState, by: str, now: datetime) -> None:
    await end(session, row, approval, state, by, now)
    asked = await refund_asked(session, row.id, approval.item)
    if state is ApprovalState.APPROVED:
        await grant(session, row, asked)
    else:
        await decline(session, row, asked, f"{state} by {by}")
