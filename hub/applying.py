"""
Applies what a provider told us to the subject that it is about: the effect's row, the fact, and what becomes necessary because of it.

Everything here happens under the subject's lock and in the commit that marks the notice handled. Facts may come before the answer of the
call that caused them, after it, twice, and in any order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlmodel import col, select

from hub.facets import forward
from hub.facts import (
    AttentionNeeded,
    ButtonPressed,
    Fact,
    LabelVoided,
    PaymentSettled,
    RefundedInAll,
    RefundPending,
    RefundSettled,
    VoidRefused,
    of_attempt,
)
from hub.kinds import kind_of
from hub.message_facts import Delivery
from hub.order_following import follow_order
from hub.pressing import take_press
from hub.settling import HAPPENED, done_twice, is_known_now
from hub.signup_following import follow_signup
from hub.signup_tables import SignupRow
from hub.steps import OPEN_STATES, EffectState
from hub.subject_rows import database_now, record
from hub.tables import AttemptRow, EffectRow, OrderRow, SubjectColumns
from hub.telling import Told, told_by
from hub.voiding import void_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.readings import Address

Paying = OrderRow | SignupRow
"""The subjects that money is taken from; a release costs nothing."""
KNOWN = ", which was known"
FOLLOWS: dict[str, Callable[..., Awaitable[None]]] = {"order": follow_order, "signup": follow_signup}
"""By kind of subject, where there is anything: makes what a new fact makes necessary due, in the same commit."""


class Contradiction(Exception):
    """What the provider says cannot be true of this subject; nothing of it was applied, and a person has to look."""


async def apply(
    session: AsyncSession,
    row: SubjectColumns,
    effect: EffectRow | None,
    address: Address,
    facts: Sequence[Fact],
    *,
    source: str = "webhook",
) -> str:
    """
    Take in ``facts`` about the locked ``row`` (and its ``effect``, where the provider named one), and return what they were.

    Raises:
        Contradiction: An amount or a currency differs from the ledger's; the subject needs attention.
    """
    known = [of_attempt(fact, row.attempt if address.attempt is None else address.attempt) for fact in facts]
    for fact in known:
        if (doubt := _contradicts(row, fact)) is not None:
            await _call_a_person(session, row, doubt)
            raise Contradiction(doubt)
    said, follow = [], FOLLOWS.get(kind_of(row).name)
    for fact in known:
        epoch, waits_until = row.epoch, effect and effect.resume_at
        meant = await _effect_meant(session, effect, fact)
        changed = meant is not None and await _settle(session, row, meant, told_by(fact, meant))
        new = await record(session, row, fact, source=source)
        if changed and row.epoch == epoch:
            row.epoch += 1
        if changed and waits_until is not None and row.resume_at == waits_until:
            row.resume_at = await database_now(session)  # what it waited to know is known
        if new and isinstance(fact, ButtonPressed):
            await take_press(session, row, effect, fact)
        elif new and follow is not None:
            await follow(session, row, effect, fact)
        said.append(fact.kind if new else f"{fact.kind}{KNOWN}")
    return "; ".join(said)


def says_something_new(outcome: str) -> bool:
    """Tell from what ``apply`` returned whether any of the facts was new."""
    return any(not fact.endswith(KNOWN) for fact in outcome.split("; "))


async def _effect_meant(session: AsyncSession, effect: EffectRow | None, fact: Fact) -> EffectRow | None:
    """Return the effect whose outcome the fact is; what became of a label that went back is told under the label's own name."""
    if effect is not None and isinstance(fact, LabelVoided | VoidRefused):
        return await void_of(session, effect) or effect
    return effect


def _contradicts(row: SubjectColumns, fact: Fact) -> str | None:
    """Return what about the fact's money cannot be true of this subject, or None."""
    if not isinstance(row, Paying):
        return None
    match fact:
        case PaymentSettled():
            wrong = (fact.amount, fact.currency) != (row.amount, row.currency)
        case RefundPending() | RefundSettled() | RefundedInAll():
            wrong = fact.amount > (row.amount or 0) or fact.currency != row.currency
        case _:
            return None
    told = f"{fact.amount} {fact.currency}"
    return f"{fact.kind}: the provider says {told}, it is about {row.amount} {row.currency}" if wrong else None


async def _settle(session: AsyncSession, row: SubjectColumns, effect: EffectRow, told: Told | None) -> bool:
    """Settle the effect's row as the provider's answer would have; False when there was nothing to settle."""
    if told is None:
        return False
    if told.delivery is not None:
        effect.delivery = told.delivery if effect.delivery is None else forward(Delivery(effect.delivery), told.delivery)
    if effect.state in HAPPENED and told.state in HAPPENED and told.reference not in (None, effect.reference):
        await done_twice(session, row, effect, told.reference, source="webhook")
        return True
    late_success = effect.state == EffectState.REFUSED and told.state == EffectState.DONE and not await _taken_over(session, effect)
    if effect.state not in OPEN_STATES and not late_success:
        return False
    if effect.state == told.state:
        return False
    effect.state, effect.code, effect.resume_at = told.state, told.code, None
    effect.reference = told.reference or effect.reference
    effect.result = effect.result if told.result is None else told.result.model_dump(mode="json")
    effect.settled_at = await database_now(session)
    unknown = (col(AttemptRow.effect_key) == effect.key, col(AttemptRow.outcome) == "unknown")
    await session.exec(update(AttemptRow).where(*unknown).values(outcome="found"))
    await is_known_now(session, row, effect, effect.settled_at)
    return True


async def _taken_over(session: AsyncSession, effect: EffectRow) -> bool:
    """Tell whether another attempt has the step now; it has at most one effect that is not over."""
    others = select(EffectRow.key).where(
        col(EffectRow.subject_kind) == effect.subject_kind,
        col(EffectRow.subject_id) == effect.subject_id,
        col(EffectRow.step) == effect.step,
        col(EffectRow.state).in_((*OPEN_STATES, EffectState.DONE)),
    )
    return (await session.exec(others)).first() is not None


async def _call_a_person(session: AsyncSession, row: SubjectColumns, reason: str) -> None:
    await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="webhook")
