"""
What a person has to agree to before it is done: each question a row of its own, asked and answered once.

Whoever asks does not answer. Where an answer came in, the Prefect UI or a button in Slack, makes no difference to what follows from it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ColumnElement, Index, UniqueConstraint, and_, func, text
from sqlmodel import Field, SQLModel, col, select

from hub.beginning import intend_once
from hub.columns import moment, number
from hub.facts import RefundAsked, RefundDecided
from hub.kinds import kind_of
from hub.messages import MessageUpdate, PostedMessage, TeamMessage
from hub.notification_types import APPROVAL_ASKED
from hub.settings import settings
from hub.steps import EffectState
from hub.subject_rows import as_it_is, record
from hub.tables import EffectRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.orders import Order
    from hub.tables import OrderRow

REFUND_APPROVAL = "refund"
FORM = "unattributed (Prefect UI)"
"""Who answers a form, or types a refund, in the Prefect UI: it knows no users."""
HUB = "the hub"
SLACK = "slack:"


class ApprovalState(StrEnum):
    """How an approval stands; ``withdrawn``: what was asked for is not wanted any more."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ApprovalRow(SQLModel, table=True):
    """
    One question, e.g. ``what`` refund, ``item`` the refund's id. Of its amount nothing is promised to anybody else while it is open.

    ``requested_by`` and ``decided_by``: the name of a gateway key, ``slack:`` and a user id, or ``FORM``. ``run_id``: the flow run
    that shows a form for it and waits there; None when none does.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        UniqueConstraint("what", "subject_kind", "subject_id", "item", name="approvals_once"),
        Index("approvals_open", "expires_at", postgresql_where=text("state = 'open'")),
        Index("approvals_with_forms", "id", postgresql_where=text("run_id IS NOT NULL")),
    )

    id: int = number()
    what: str
    subject_kind: str
    subject_id: str
    item: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    requested_by: str
    state: str = ApprovalState.OPEN
    decided_by: str | None = None
    decided_at: datetime | None = moment()
    expires_at: datetime = moment(required=True)
    run_id: str | None = None
    created_at: datetime = moment(now=True)


def mention(by: str) -> str:
    """Return how Slack names ``by`` to its readers: a user of theirs as a mention, anybody else as they are."""
    user = by.removeprefix(SLACK)
    return by if user == by else f"<@{user}>"


def needs_approval(amount: int) -> bool:
    """Tell whether a refund of so many minor units is not given without a person's approval."""
    return amount > settings().refund_asks_above


def form_may_answer(approval: ApprovalRow) -> bool:
    """Tell whether somebody whom nobody knows may answer, in the Prefect UI: not somebody else's limit, nor their own question."""
    limit = settings().form_approves_up_to
    return approval.requested_by != FORM and (limit is None or approval.amount <= limit)


async def open_approval(session: AsyncSession, row: OrderRow, asked: RefundAsked, now: datetime) -> ApprovalRow:
    """Ask whether the refund may be given; the question expires."""
    approval = ApprovalRow(
        what=REFUND_APPROVAL,
        subject_kind=kind_of(row).name,
        subject_id=row.id,
        item=asked.refund_id,
        amount=asked.amount,
        currency=asked.currency,
        requested_by=asked.by,
        expires_at=now + timedelta(seconds=settings().approval_expires_seconds * settings().time_scale),
    )
    session.add(approval)
    await session.flush()
    return approval


async def approval_of(session: AsyncSession, order_id: str, refund_id: str) -> ApprovalRow | None:
    """Return the question about this refund; None when nobody has to be asked."""
    mine = (col(ApprovalRow.subject_kind) == "order", col(ApprovalRow.subject_id) == order_id)
    asked = (col(ApprovalRow.what) == REFUND_APPROVAL, col(ApprovalRow.item) == refund_id)
    return (await session.exec(select(ApprovalRow).where(*mine, *asked))).one_or_none()


async def waiting_amount(session: AsyncSession, row: OrderRow) -> int:
    """Return how much of the order's payment open questions are about, in minor units."""
    total = select(func.coalesce(func.sum(col(ApprovalRow.amount)), 0)).where(_open_of(row))
    return int((await session.exec(total)).one())


async def withdraw_all(session: AsyncSession, row: OrderRow, now: datetime) -> None:
    """End the open questions of the locked order: its whole payment goes back without them."""
    for approval in await session.exec(select(ApprovalRow).where(_open_of(row))):
        await end(session, row, approval, ApprovalState.WITHDRAWN, HUB, now)


async def end(session: AsyncSession, row: OrderRow, approval: ApprovalRow, state: ApprovalState, by: str, now: datetime) -> None:
    """Write down how the locked order's question ended, and who ended it."""
    approval.state, approval.decided_by, approval.decided_at = state, by, now
    decided = RefundDecided(refund_id=approval.item, decision=state.value, by=by)
    await record(session, row, decided, source="sweep" if by == HUB else "person")
    await _show_in_channel(session, row, approval)


async def _show_in_channel(session: AsyncSession, row: OrderRow, approval: ApprovalRow) -> None:
    """Intend that the team's message says how it ended, and has no buttons any more; the next run does it."""
    order: Order = await as_it_is(session, row)
    asked = await session.get(EffectRow, order.effect_key(f"{APPROVAL_ASKED.step}.{approval.item}"))
    if asked is None or asked.state != EffectState.DONE:
        return
    posted, said = PostedMessage.model_validate(asked.result), TeamMessage.model_validate(asked.request)
    text = f"{said.text}\n*{approval.state}* by {mention(approval.decided_by or '')}"
    update = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text=text, metadata=said.metadata)
    await intend_once(session, order.effect(f"update.{approval.item}", update))


def _open_of(row: OrderRow) -> ColumnElement[bool]:
    mine = and_(col(ApprovalRow.subject_kind) == kind_of(row).name, col(ApprovalRow.subject_id) == row.id)
    return and_(mine, col(ApprovalRow.state) == ApprovalState.OPEN)
