"""Settle: commit what came of a call or a look. Accepted from anybody: what has happened, has happened."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.database import transaction
from hub.effects import Effect
from hub.errors import OutcomeUnknown, ProviderError, Refused
from hub.exchange import Exchange
from hub.facts import AttentionNeeded
from hub.order_rows import database_now, locked, record
from hub.policies import CLOSES_AFTER_MISCONFIGURED, GATE_CLOSED_SECONDS
from hub.settings import settings
from hub.steps import EffectState, Outcome
from hub.tables import AttemptRow, EffectRow, OrderRow, ProviderGateRow
from hub.values import Frozen

SETTLED = (EffectState.DONE, EffectState.PENDING, EffectState.REFUSED, EffectState.UNDONE)


async def settle(effect: Effect, attempt_id: int, exchange: Exchange, result: Frozen) -> None:
    """Commit that the provider did it, and the fact that follows."""
    outcome = effect.what.means(effect.attempt, result)
    async with transaction() as session:
        subject, _ = await locked(session, effect.subject_id)
        row = await _row(session, effect)
        await _end_attempt(session, attempt_id, exchange, str(outcome.state))
        await _gate_is_fine(session, row.provider)
        await _write(session, subject, row, outcome, result, source="run" if subject.fence == effect.fence else "late run")


async def found(effect: Effect, exchange: Exchange, result: Frozen) -> None:
    """Commit that a look found it done; whatever Prefect remembers is stale from here on."""
    outcome = effect.what.means(effect.attempt, result)
    async with transaction() as session:
        subject, _ = await locked(session, effect.subject_id)
        row = await _row(session, effect)
        await _note_look(session, effect, exchange, "found")
        await _write(session, subject, row, outcome, result, source="resolver")
        await session.exec(
            update(AttemptRow)
            .where(col(AttemptRow.effect_key) == row.key, col(AttemptRow.kind) == "call")
            .where(col(AttemptRow.outcome).is_(None) | (col(AttemptRow.outcome) == "unknown"))
            .values(outcome="found", ended_at=await database_now(session))
        )


async def absent(effect: Effect, exchange: Exchange) -> float | None:
    """
    Commit that a look found nothing. Seen twice, a gap apart, after every call has surely ended: it did not happen.

    Returns how many seconds to wait before the next look, or None when it is decided.
    """
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id)
        row = await _row(session, effect)
        calls = [a for a in await _attempts(session, row) if a.kind == "call" and a.outcome in (None, "unknown")]
        settled_at = max((a.settles_at for a in calls if a.settles_at), default=now)
        looks = [a.started_at for a in await _attempts(session, row) if a.kind == "look" and a.outcome == "absent"]
        await _note_look(session, effect, exchange, "absent")
        if now < settled_at:
            return (settled_at - now).total_seconds()
        earlier = [moment for moment in looks if moment >= settled_at]
        gap = _gap_seconds(calls)
        if not earlier or now - min(earlier) < timedelta(seconds=gap):
            return gap
        if row.same_key_is_useless:
            return None
        for call in calls:
            call.outcome, call.ended_at = "absent", now
        row.state = EffectState.INTENDED
        subject.epoch += 1
        return 0.0


async def refused(effect: Effect, attempt_id: int | None, exchange: Exchange, refusal: Refused) -> None:
    """Commit that the business answer is no."""
    async with transaction() as session:
        subject, _ = await locked(session, effect.subject_id)
        row = await _row(session, effect)
        if attempt_id is None:
            await _note_look(session, effect, exchange, "refused")
        else:
            await _end_attempt(session, attempt_id, exchange, "refused")
        await _gate_is_fine(session, row.provider)
        if row.state in SETTLED:
            return
        row.state, row.code, row.reference, row.resume_at = EffectState.REFUSED, refusal.code, refusal.reference, None
        row.settled_at = await database_now(session)
        if (fact := effect.what.refused_means(effect.attempt, refusal)) is not None:
            await record(session, subject, fact, source="run" if attempt_id is not None else "resolver")


async def not_done(effect: Effect, attempt_id: int, exchange: Exchange, outcome: str, error: ProviderError | None = None) -> None:
    """Commit that the call brought no result: surely nothing happened (the effect stays intended), or nobody knows."""
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id)
        row = await _row(session, effect)
        await _end_attempt(session, attempt_id, exchange, outcome)
        if outcome == "misconfigured":
            await _count_misconfigured(session, row, error)
        if row.state in SETTLED:
            return
        if outcome == "unknown":
            row.state = EffectState.UNKNOWN
            if isinstance(error, OutcomeUnknown):
                row.same_key_is_useless = row.same_key_is_useless or error.same_key_is_useless
        if row.useful_until is not None:
            row.resume_at = now + timedelta(seconds=effect.what.policy.wait_seconds(effect.what.policy.attempts))
        subject.progressed_at = subject.progressed_at or now


async def _write(session: AsyncSession, subject: OrderRow, row: EffectRow, outcome: Outcome, result: Frozen, *, source: str) -> None:
    if row.state == EffectState.DONE:
        if row.reference != outcome.reference:
            reason = f"{row.provider} did {row.action!r} twice: {row.reference} and {outcome.reference}"
            await record(session, subject, AttentionNeeded(epoch=subject.epoch, reason=reason), source="resolver")
        return
    row.state, row.reference, row.code, row.resume_at = outcome.state, outcome.reference, outcome.code, None
    row.result = result.model_dump(mode="json")
    row.settled_at = subject.progressed_at = await database_now(session)
    subject.runs_without_progress = 0
    new = outcome.fact is not None and await record(session, subject, outcome.fact, source=source)
    if source != "run" and not new:
        subject.epoch += 1


async def _row(session: AsyncSession, effect: Effect) -> EffectRow:
    return await session.get_one(EffectRow, effect.key)


async def _attempts(session: AsyncSession, row: EffectRow) -> list[AttemptRow]:
    return list(await session.exec(select(AttemptRow).where(col(AttemptRow.effect_key) == row.key).order_by(col(AttemptRow.id))))


async def _end_attempt(session: AsyncSession, attempt_id: int, exchange: Exchange, outcome: str) -> None:
    attempt = await session.get_one(AttemptRow, attempt_id)
    attempt.ended_at, attempt.outcome = await database_now(session), outcome
    attempt.http_status, attempt.provider_request_id = exchange.http_status, exchange.request_id
    attempt.provider_text = exchange.provider_text


async def _note_look(session: AsyncSession, effect: Effect, exchange: Exchange, outcome: str) -> None:
    now = await database_now(session)
    session.add(
        AttemptRow(
            effect_key=effect.key,
            kind="look",
            run_id=effect.run_id,
            fence=effect.fence,
            started_at=now,
            ended_at=now,
            outcome=outcome,
            http_status=exchange.http_status,
            provider_request_id=exchange.request_id,
        )
    )


def _gap_seconds(calls: list[AttemptRow]) -> float:
    """Return the gap between two looks: as long as a call may be late, at least a second."""
    windows = [(c.settles_at - c.send_by).total_seconds() for c in calls if c.settles_at and c.send_by]
    return max(1.0, min(windows, default=1.0) / 4)


async def _gate_is_fine(session: AsyncSession, provider: str) -> None:
    gate = await session.get(ProviderGateRow, provider)
    if gate is not None and gate.misconfigured_in_a_row:
        gate.misconfigured_in_a_row = 0
        gate.closed_until = gate.reason = None


async def _count_misconfigured(session: AsyncSession, row: EffectRow, error: ProviderError | None) -> None:
    gate = await session.get(ProviderGateRow, row.provider, with_for_update=True)
    if gate is None:
        gate = ProviderGateRow(provider=row.provider, misconfigured_in_a_row=0)
        session.add(gate)
    gate.misconfigured_in_a_row += 1
    if gate.misconfigured_in_a_row >= CLOSES_AFTER_MISCONFIGURED:
        gate.closed_until = await database_now(session) + timedelta(seconds=GATE_CLOSED_SECONDS * settings().time_scale)
        gate.reason = f"misconfigured: {error.reason}" if error else "misconfigured"
