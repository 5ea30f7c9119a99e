"""
What undoing an order takes, as a plan: what is left of its payment goes back, and so does every label that is not used.

Whoever decides it, a run, a callback or a person, commits the decision together with all that it takes; the order's runs then do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, or_, select

from hub.approvals import withdraw_all
from hub.beginning import intend_once
from hub.facets import HoldFacet, PaymentFacet, rank
from hub.facts import UndoBegun
from hub.fulfilling import forget_pickup
from hub.order_rows import facets_of
from hub.payments import RefundRequest
from hub.steps import EffectState
from hub.subject_rows import database_now, record
from hub.tables import EffectRow, OrderRow
from hub.voiding import intend_voids

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.effects import Effect
    from hub.orders import Order

REFUND = "refund"
"""The step that gives back the rest of the payment; a refund that was asked for has its id behind a dot."""


async def plan_undo(
    session: AsyncSession, row: OrderRow, order: Order, because: str, *, source: str, by: str | None = None
) -> Effect | None:
    """
    Record that the locked order is being undone, and intend what this takes; a second time changes nothing.

    Returns the refund of what is left of the payment; None when that is nothing, or not known to have been paid.
    """
    if row.hold == HoldFacet.NONE:
        await record(session, row, UndoBegun(because=because, by=by), source=source)
        await withdraw_all(session, row, await database_now(session))
        await forget_pickup(session, row)
        await intend_voids(session, row, order)
    known = await session.get(EffectRow, order.effect_key(REFUND))
    if known is not None:
        return order.effect(REFUND, RefundRequest.model_validate(known.request))
    left = row.amount - await promised(session, row)
    if rank(PaymentFacet(row.payment)) < rank(PaymentFacet.PAID) or left <= 0:
        return None
    request = RefundRequest(payment_id=row.payment_id or "", amount=left, currency=row.currency, metadata=order.reference)
    refund = order.effect(REFUND, request)
    await intend_once(session, refund)
    return refund


async def promised(session: AsyncSession, row: OrderRow) -> int:
    """
    Return how much of the payment has gone back or will, in minor units: by refunds of ours, and by others outside the hub.

    What the provider has heard of may be in its own total already, what it has not is not.
    """
    mine = (col(EffectRow.subject_kind) == "order", col(EffectRow.subject_id) == row.id, col(EffectRow.attempt) == row.attempt)
    refunds = or_(col(EffectRow.step) == REFUND, col(EffectRow.step).startswith(f"{REFUND}."))
    heard, unheard = 0, 0
    for effect in await session.exec(select(EffectRow).where(*mine, refunds)):
        if effect.state in (EffectState.DONE, EffectState.PENDING):
            heard += effect.request["amount"]
        elif effect.state != EffectState.REFUSED:
            unheard += effect.request["amount"]
    return unheard + max(heard, facets_of(row).given_back)
