"""
What a run decides about its order, each decision one commit under the run's claim.

Undoing is a plan, not an exception handler: the decision and the intended refund are committed together, before anything is asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from sqlmodel import col, select

from hub.claims import hold
from hub.database import transaction
from hub.effects import Effect
from hub.facets import ParcelFacet, PaymentFacet, Status, rank
from hub.facts import Announced, AttentionNeeded, Fact, UndoBegun, UndoFinished
from hub.fulfilling import scheduled_pickup
from hub.kinds import kind_of
from hub.notification_types import MONEY_BACK
from hub.order_rows import note
from hub.orders import Order
from hub.progress import attention_for
from hub.settings import settings
from hub.steps import EffectState
from hub.subject_rows import database_now, record
from hub.subjects import Subject
from hub.tables import EffectRow, FactRow, SubjectColumns
from hub.undoing import plan_undo
from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

LOOK_AGAIN_SECONDS = 3600.0
"""How long until money that is under way is looked at again, should nobody tell earlier; scaled."""
_FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


class AttentionCall(Frozen):
    """What a person has to look at; ``number`` tells one time from the next."""

    number: int
    reason: str


class Undoing(Frozen):
    """Why an order is undone, how far its parcel was, whether money goes back, and what its carrier calls the pick-up it comes for."""

    because: str
    parcel: ParcelFacet
    paid: bool
    pickup: str | None = None


async def begin_undo(order: Order, because: str) -> Effect | None:
    """
    Commit that the order is being undone, and all that this takes; a second time changes nothing.

    Returns the refund, or None when there is nothing to give back: not paid, or given back otherwise.
    """
    async with transaction() as session:
        return await plan_undo(session, await hold(session, order), order, because, source="undo")


async def what_is_undone(order: Order) -> Undoing:
    """Return what is known now of the undoing that was begun, whichever run asks."""
    async with transaction() as session:
        row = await hold(session, order)
        return Undoing(
            because=await _because(session, order),
            parcel=ParcelFacet(row.parcel),
            paid=rank(PaymentFacet(row.payment)) >= rank(PaymentFacet.PAID),
            pickup=await scheduled_pickup(session, order),
        )


async def finish_undo(order: Order) -> None:
    """Commit that everything is undone."""
    async with transaction() as session:
        row = await hold(session, order)
        await record(session, row, UndoFinished(because=await _because(session, order)), source="run")


async def _because(session: AsyncSession, order: Order) -> str:
    mine = (col(FactRow.subject_kind) == order.kind, col(FactRow.subject_id) == order.id)
    begun = select(col(FactRow.data)["because"].as_string()).where(*mine, col(FactRow.kind) == UndoBegun.model_fields["kind"].default)
    return (await session.exec(begun)).first() or ""


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


async def refund_failed(order: Order, refund: Effect, reason: str) -> None:
    """Commit that a person has to look because the money does not go back, and that the customer is not told that it does."""
    async with transaction() as session:
        row = await hold(session, order)
        await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="undo")
        mail = await session.get(EffectRow, order.effect_key(f"{MONEY_BACK.step}.{refund.step.partition('.')[2]}"))
        if mail is not None and mail.state == EffectState.INTENDED:
            mail.state, mail.code, mail.resume_at = EffectState.REFUSED, "refund_failed", None


async def look_again(order: Order, refund: Effect) -> None:
    """Commit that a refund which is under way is looked at again in an hour, should nobody tell earlier."""
    async with transaction() as session:
        await hold(session, order)
        row = await session.get_one(EffectRow, refund.key)
        row.resume_at = await database_now(session) + timedelta(seconds=LOOK_AGAIN_SECONDS * settings().time_scale)


async def attention_call(subject: Subject) -> AttentionCall | None:
    """Return what the subject needs attention for, or None when it needs none."""
    async with transaction() as session:
        return await called_for(session, await hold(session, subject))


async def called_for(session: AsyncSession, row: SubjectColumns) -> AttentionCall | None:
    """Return what the locked subject needs attention for, or None when it needs none."""
    if row.attention is None:
        return None
    mine = (col(FactRow.subject_kind) == kind_of(row).name, col(FactRow.subject_id) == row.id)
    for fact in await session.exec(select(FactRow).where(*mine).order_by(col(FactRow.id).desc())):
        if (reason := attention_for(_FACT.validate_python(fact.data), row.id)) is not None:
            return AttentionCall(number=fact.id, reason=reason)
    return None
