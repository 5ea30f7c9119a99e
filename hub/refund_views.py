"""Refunds as the outside sees them: what was asked for, and how far it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlmodel import col, select

from hub.approvals import ApprovalRow, ApprovalState, approval_of
from hub.database import transaction
from hub.refunds import asked_before
from hub.steps import EffectState
from hub.tables import EffectRow
from hub.undoing import REFUND


class RefundState(StrEnum):
    """
    How far a refund is. ``waiting``: for a person's approval. ``withdrawn``: the whole payment goes back without it.

    ``pending``: the provider has taken it on, and the money is not there yet.
    """

    WAITING = "waiting"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REFUNDING = "refunding"
    PENDING = "pending"
    REFUNDED = "refunded"
    FAILED = "failed"


class RefundView(BaseModel):
    """A refund as the outside sees it; ``amount`` in minor units, ``by`` asked for it, ``decidedBy`` approved it or did not."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    order_id: str
    refund_id: str
    status: RefundState
    amount: int
    currency: str
    reason: str
    by: str
    approve_until: datetime | None = None
    decided_by: str | None = None


class NoSuchRefund(Exception):
    """The order has no refund with this id."""

    def __init__(self, order_id: str, refund_id: str) -> None:
        super().__init__(order_id, refund_id)
        self.order_id, self.refund_id = order_id, refund_id

    def __str__(self) -> str:
        return f"order {self.order_id} has no refund {self.refund_id}"


_STATES = {
    EffectState.PENDING: RefundState.PENDING,
    EffectState.DONE: RefundState.REFUNDED,
    EffectState.REFUSED: RefundState.FAILED,
}


async def view_refund(order_id: str, refund_id: str) -> RefundView:
    """
    Return the refund as it is now.

    Raises:
        NoSuchRefund: Nobody has asked for it.
    """
    async with transaction() as session:
        asked = await asked_before(session, order_id, refund_id)
        if asked is None:
            raise NoSuchRefund(order_id, refund_id)
        mine = (col(EffectRow.subject_kind) == "order", col(EffectRow.subject_id) == order_id)
        state = (await session.exec(select(col(EffectRow.state)).where(*mine, col(EffectRow.step) == f"{REFUND}.{refund_id}"))).first()
        approval = await approval_of(session, order_id, refund_id)
    return RefundView(
        order_id=order_id,
        refund_id=asked.refund_id,
        status=_state(None if state is None else EffectState(state), approval),
        amount=asked.amount,
        currency=asked.currency,
        reason=asked.reason,
        by=asked.by,
        approve_until=approval and approval.expires_at,
        decided_by=approval and approval.decided_by,
    )


def _state(state: EffectState | None, approval: ApprovalRow | None) -> RefundState:
    if approval is not None and approval.state != ApprovalState.APPROVED:
        return RefundState.WAITING if approval.state == ApprovalState.OPEN else RefundState(approval.state)
    return RefundState.REFUNDING if state is None else _STATES.get(state, RefundState.REFUNDING)
