"""
What a run decides about its order, each decision one commit under the run's claim.

Undoing is a plan, not an exception handler: the decision and the intended refund are committed together, before anything is asked.
"""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlmodel import col, select

from hub.claims import hold
from hub.database import transaction
from hub.effects import Effect
from hub.facets import HoldFacet, Status
from hub.facts import Announced, AttentionNeeded, Fact, UndoBegun, UndoFinished
from hub.intending import intend
from hub.order_rows import note
from hub.orders import Order
from hub.payments import RefundRequest
from hub.progress import attention_for
from hub.subject_rows import database_now, record
from hub.subjects import Subject
from hub.tables import FactRow
from hub.values import Frozen

_FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


class AttentionCall(Frozen):
    """What a person has to look at; ``number`` tells one time from the next."""

    number: int
    reason: str


async def begin_undo(order: Order, because: str) -> Effect:
    """Commit that the order is being undone, and the refund that this takes; return the refund. A second time changes nothing."""
    async with transaction() as session:
        row = await hold(session, order)
        request = RefundRequest(payment_id=row.payment_id or "", amount=row.amount, currency=row.currency, metadata=order.reference)
        refund = order.effect("refund", request)
        if row.hold == HoldFacet.NONE:
            await record(session, row, UndoBegun(because=because), source="undo")
            await intend(session, refund, await database_now(session))
        return refund


async def finish_undo(order: Order) -> None:
    """Commit that everything is undone."""
    mine = (col(FactRow.subject_kind) == order.kind, col(FactRow.subject_id) == order.id)
    begun = select(col(FactRow.data)["because"].as_string()).where(*mine, col(FactRow.kind) == UndoBegun.model_fields["kind"].default)
    async with transaction() as session:
        row = await hold(session, order)
        because = (await session.exec(begun)).first() or ""
        await record(session, row, UndoFinished(because=because), source="run")


async def announce(order: Order, missed: tuple[str, ...]) -> None:
    """Commit that the customer and the team were told, but for ``missed``; a courtesy made up for later is noted."""
    async with transaction() as session:
        row = await hold(session, order)
        fact = Announced(missed=missed)
        if not await record(session, row, fact, source="run") and row.status == Status.CONFIRMED:
            note(row, fact)


async def need_attention(order: Order, reason: str) -> None:
    """Commit that a person has to look."""
    async with transaction() as session:
        row = await hold(session, order)
        await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="undo")


async def attention_call(subject: Subject) -> AttentionCall | None:
    """Return what the subject needs attention for, or None when it needs none."""
    async with transaction() as session:
        if (await hold(session, subject)).attention is None:
            return None
        mine = (col(FactRow.subject_kind) == subject.kind, col(FactRow.subject_id) == subject.id)
        for row in await session.exec(select(FactRow).where(*mine).order_by(col(FactRow.id).desc())):
            if (reason := attention_for(_FACT.validate_python(row.data))) is not None:
                return AttentionCall(number=row.id, reason=reason)
    return None
