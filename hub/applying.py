"""
Applies what a provider told us to the order that it is about: the effect's row, the fact, and what becomes necessary because of it.

Everything here happens under the order's lock and in the commit that marks the notice handled. Facts may come before the answer of the
call that caused them, after it, twice, and in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlmodel import col, select

from hub.beginning import intend_once
from hub.facets import HoldFacet, StockFacet
from hub.facts import (
    AttentionNeeded,
    Fact,
    MessageMoved,
    PaymentSettled,
    RefundedInAll,
    RefundPending,
    RefundSettled,
    UndoBegun,
    of_attempt,
)
from hub.letters import text_instead_of
from hub.message_facts import Delivery
from hub.orders import Order
from hub.payments import RefundRequest
from hub.settling import HAPPENED
from hub.steps import EffectState
from hub.subject_rows import database_now, hub_identity, record, snapshot
from hub.tables import AttemptRow, EffectRow, OrderRow
from hub.telling import Told, told_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.readings import Address

OPEN = (EffectState.INTENDED, EffectState.PENDING, EffectState.UNKNOWN)


class Contradiction(Exception):
    """What the provider says cannot be true of this order; nothing of it was applied, and a person has to look."""


async def apply(session: AsyncSession, order: OrderRow, effect: EffectRow | None, address: Address, facts: Sequence[Fact]) -> str:
    """
    Take in ``facts`` about the locked ``order`` (and its ``effect``, where the provider named one), and return what they were.

    Raises:
        Contradiction: An amount or a currency differs from the ledger's; the order needs attention.
    """
    known = [of_attempt(fact, order.attempt if address.attempt is None else address.attempt) for fact in facts]
    for fact in known:
        if (doubt := _contradicts(order, fact)) is not None:
            await _call_a_person(session, order, doubt)
            raise Contradiction(doubt)
    said = []
    for fact in known:
        epoch = order.epoch
        changed = effect is not None and await _settle(session, order, effect, told_by(fact, effect))
        new = await record(session, order, fact, source="webhook")
        if changed and order.epoch == epoch:
            order.epoch += 1
        if new:
            await _follow(session, order, effect, fact)
        said.append(fact.kind if new else f"{fact.kind}, which was known")
    return "; ".join(said)


def _contradicts(order: OrderRow, fact: Fact) -> str | None:
    """Return what about the fact's money cannot be true of this order, or None."""
    match fact:
        case PaymentSettled():
            wrong = (fact.amount, fact.currency) != (order.amount, order.currency)
        case RefundPending() | RefundSettled() | RefundedInAll():
            wrong = fact.amount > order.amount or fact.currency != order.currency
        case _:
            return None
    told = f"{fact.amount} {fact.currency}"
    return f"{fact.kind}: the provider says {told}, the order is over {order.amount} {order.currency}" if wrong else None


async def _settle(session: AsyncSession, order: OrderRow, effect: EffectRow, told: Told | None) -> bool:
    """Settle the effect's row as the provider's answer would have; False when there was nothing to settle."""
    if told is None:
        return False
    if told.delivery is not None and (effect.delivery is None or _further(told.delivery, Delivery(effect.delivery))):
        effect.delivery = told.delivery
    if effect.state in HAPPENED and told.state in HAPPENED and told.reference not in (None, effect.reference):
        await _call_a_person(session, order, f"{effect.provider} did {effect.action!r} twice: {effect.reference} and {told.reference}")
        return True
    late_success = effect.state == EffectState.REFUSED and told.state == EffectState.DONE and not await _taken_over(session, effect)
    if effect.state not in OPEN and not late_success:
        return False
    if effect.state == told.state:
        return False
    effect.state, effect.code, effect.resume_at = told.state, told.code, None
    effect.reference = told.reference or effect.reference
    effect.result = effect.result if told.result is None else told.result.model_dump(mode="json")
    effect.settled_at = await database_now(session)
    unknown = (col(AttemptRow.effect_key) == effect.key, col(AttemptRow.outcome) == "unknown")
    await session.exec(update(AttemptRow).where(*unknown).values(outcome="found", ended_at=effect.settled_at))
    return True


def _further(news: Delivery, known: Delivery) -> bool:
    ranks = list(Delivery)
    return ranks.index(news) > ranks.index(known)


async def _taken_over(session: AsyncSession, effect: EffectRow) -> bool:
    """Tell whether another attempt has the step now; it has at most one effect that is not over."""
    others = select(EffectRow.key).where(
        col(EffectRow.subject_kind) == effect.subject_kind,
        col(EffectRow.subject_id) == effect.subject_id,
        col(EffectRow.step) == effect.step,
        col(EffectRow.state).in_((*OPEN, EffectState.DONE)),
    )
    return (await session.exec(others)).first() is not None


async def _follow(session: AsyncSession, order: OrderRow, effect: EffectRow | None, fact: Fact) -> None:
    """Make what the new fact makes necessary due, in the same commit."""
    match fact:
        case PaymentSettled() if fact.attempt != order.attempt or _is_closed(order):
            await _give_late_money_back(session, order, fact)
        case MessageMoved(channel="mail", delivery=Delivery.FAILED) if effect is not None:
            await _text_instead(session, order, effect)
        case _:
            pass


def _is_closed(order: OrderRow) -> bool:
    """Tell whether the order takes no money any more: it is being undone, or its goods went back to the shelf."""
    return order.hold != HoldFacet.NONE or order.stock == StockFacet.RELEASED


async def _give_late_money_back(session: AsyncSession, row: OrderRow, fact: PaymentSettled) -> None:
    """Intend the refund of a payment that came after the order had closed or moved on; the next run makes it, and the team is told."""
    order = await _as_it_is(session, row)
    request = RefundRequest(payment_id=fact.payment_id, amount=fact.amount, currency=fact.currency, metadata=order.reference)
    if fact.attempt == row.attempt and row.hold == HoldFacet.NONE:
        await record(session, row, UndoBegun(because="it was paid after it had been closed"), source="webhook")
        await intend_once(session, order.effect("refund", request))
    elif fact.attempt != row.attempt or row.hold == HoldFacet.UNDONE:  # an order that is being undone gives it back by itself
        await intend_once(session, order.effect(f"late-refund.{fact.attempt}", request, attempt=fact.attempt))
    row.resume_at = await database_now(session)


async def _text_instead(session: AsyncSession, row: OrderRow, mail: EffectRow) -> None:
    """Intend a text where a mail did not arrive, if the customer gave a phone number; the next run sends it."""
    order = await _as_it_is(session, row)
    if (text := text_instead_of(mail.step, order)) is not None:
        await intend_once(session, order.effect(f"text.{mail.step}", text))
        row.epoch, row.resume_at = row.epoch + 1, await database_now(session)


async def _as_it_is(session: AsyncSession, row: OrderRow) -> Order:
    order: Order = snapshot(row, (await hub_identity(session)).hub_id, "", due=True)
    return order


async def _call_a_person(session: AsyncSession, order: OrderRow, reason: str) -> None:
    await record(session, order, AttentionNeeded(epoch=order.epoch, reason=reason), source="webhook")
