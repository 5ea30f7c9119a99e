"""
What a provider's news makes necessary for an order, intended in the commit of the news.

Late money and spare labels go back, a carrier comes for a packed parcel, and a text follows where a mail failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.beginning import intend_once
from hub.facets import HoldFacet, ParcelFacet, StockFacet
from hub.facts import AttentionNeeded, Fact, InTransit, LabelBought, MessageMoved, Packed, PaymentSettled, PickedUp
from hub.falling_back import fall_back
from hub.fulfilling import forget_pickup, intend_pickup
from hub.message_facts import Delivery
from hub.notification_types import LATE_MONEY
from hub.orders import Order
from hub.payments import RefundRequest
from hub.subject_rows import as_it_is, database_now, record
from hub.tables import EffectRow, OrderRow
from hub.team_threads import compose_reply
from hub.undoing import plan_undo
from hub.voiding import intend_voids

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


async def follow_order(session: AsyncSession, order: OrderRow, effect: EffectRow | None, fact: Fact) -> None:
    """Make what the new fact makes necessary due, in the same commit."""
    match fact:
        case PaymentSettled() if fact.attempt != order.attempt or _is_closed(order):
            await _give_late_money_back(session, order, fact)
        case LabelBought():
            await _give_spare_label_back(session, order)
        case Packed() if order.parcel == ParcelFacet.PACKED and order.hold == HoldFacet.NONE:
            await intend_pickup(session, order)
        case PickedUp() | InTransit():
            await _follow_handing_over(session, order)
        case MessageMoved(delivery=Delivery.FAILED) if effect is not None:
            await fall_back(session, order, effect.step)
        case _:
            pass


async def _follow_handing_over(session: AsyncSession, order: OrderRow) -> None:
    """Send for nobody any more; and have a person look when the parcel was not to leave."""
    await forget_pickup(session, order)
    if order.hold != HoldFacet.NONE and order.attention is None:
        reason = "the carrier has the parcel of an order that was cancelled; let it come back, and see whether the money has gone back"
        await record(session, order, AttentionNeeded(epoch=order.epoch, reason=reason), source="webhook")


def _is_closed(order: OrderRow) -> bool:
    """Tell whether the order takes no money any more: it is being undone, or its goods went back to the shelf."""
    return order.hold != HoldFacet.NONE or order.stock == StockFacet.RELEASED


async def _give_late_money_back(session: AsyncSession, row: OrderRow, fact: PaymentSettled) -> None:
    """Intend the refund of a payment that came after the order had closed or moved on; the next run makes it, and the team is told."""
    order: Order = await as_it_is(session, row)
    request = RefundRequest(payment_id=fact.payment_id, amount=fact.amount, currency=fact.currency, metadata=order.reference)
    if fact.attempt == row.attempt and row.hold == HoldFacet.NONE:
        await plan_undo(session, row, order, "it was paid after it had been closed", source="webhook")
    elif fact.attempt != row.attempt or row.hold == HoldFacet.UNDONE:  # an order that is being undone gives it back by itself
        await intend_once(session, order.effect(f"late-refund.{fact.attempt}", request, attempt=fact.attempt))
        told = await compose_reply(session, LATE_MONEY, order, attempt=fact.attempt)
        await intend_once(session, order.effect(f"{LATE_MONEY.step}.{fact.attempt}", told))
    row.resume_at = await database_now(session)


async def _give_spare_label_back(session: AsyncSession, row: OrderRow) -> None:
    """Intend to give a label back that came late, when the order was closed or had another; the next run does it."""
    if await intend_voids(session, row, await as_it_is(session, row)):
        row.resume_at = await database_now(session)
