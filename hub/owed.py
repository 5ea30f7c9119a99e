"""
What a fact has made necessary for a subject beside its ordinary steps.

Late money goes back, a text follows a mail that bounced, a payment that waited too long is called off. Whoever commits such a fact commits
the intended effect with it, so that no crash forgets it; the subject's next run makes it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, func
from sqlmodel import col, select

from hub.beginning import intend_once
from hub.database import transaction
from hub.effects import step_of
from hub.facts import PaymentProcessing, PaymentWaits
from hub.kinds import KINDS, Kind
from hub.payments import CancelRequest
from hub.settings import settings
from hub.steps import OPEN_STATES
from hub.subject_rows import as_it_is, database_now, take_up_again
from hub.tables import EffectRow, FactRow

if TYPE_CHECKING:
    from hub.effects import Effect
    from hub.subjects import Subject


_WAITING = tuple(fact.model_fields["kind"].default for fact in (PaymentWaits, PaymentProcessing))


async def owed_effects(subject: Subject) -> list[Effect]:
    """Return what the subject owes, in the order in which it came up, as effects of this run."""
    if subject.epoch == 1:
        return []  # only somebody else than the running step makes anything owed, and that would have raised the epoch
    mine = (col(EffectRow.subject_kind) == subject.kind, col(EffectRow.subject_id) == subject.id, col(EffectRow.state).in_(OPEN_STATES))
    async with transaction() as session:
        rows = list(await session.exec(select(EffectRow).where(*mine).order_by(col(EffectRow.created_at))))
    known = [(row, step_of(subject.kind, row.step).owed_request) for row in rows]
    return [subject.effect(row.step, kind.model_validate(row.request), attempt=row.attempt) for row, kind in known if kind is not None]


async def expire_payments() -> list[tuple[str, str]]:
    """
    Intend to call off the payments whose customers have not finished them within ``HUB_PAYMENT_EXPIRES_SECONDS``.

    Returns whose they are, as kinds and ids. What comes of it is the provider's answer: a payment that has succeeded meanwhile is taken,
    and its subject goes on.
    """
    return [(kind.name, subject_id) for kind in KINDS.values() for subject_id in await _expire_of(kind)]


async def _expire_of(kind: Kind) -> list[str]:
    table = kind.row
    oldest = func.clock_timestamp() - timedelta(seconds=settings().payment_expires_seconds * settings().time_scale)
    waiting = (kind.payment_waits, col(table.attention).is_(None), col(table.resume_at).is_(None))
    for_long = exists().where(
        col(FactRow.subject_kind) == kind.name,
        col(FactRow.subject_id) == col(table.id),
        col(FactRow.kind).in_(_WAITING),
        col(FactRow.data)["attempt"].as_integer() == col(table.attempt),
        col(FactRow.at) < oldest,
    )
    called_off = exists().where(
        col(EffectRow.subject_kind) == kind.name,
        col(EffectRow.subject_id) == col(table.id),
        col(EffectRow.step).startswith("expire-payment."),
        col(EffectRow.attempt) == col(table.attempt),
    )
    not_lately = ~called_off | (col(table.progressed_at) < oldest)  # one that could not be called off is looked at again as rarely
    async with transaction() as session:
        now = await database_now(session)
        rows = list(await session.exec(select(table).where(*waiting, for_long, not_lately).limit(200).with_for_update(skip_locked=True)))
        for row in rows:
            subject = await as_it_is(session, row)
            await intend_once(session, subject.effect(f"expire-payment.{row.attempt}", CancelRequest(payment_id=subject.payment_id)))
            take_up_again(row, now)
        return [row.id for row in rows]
