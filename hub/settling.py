"""Settle: commit what came of a call or a look. Accepted from anybody: what has happened, has happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.database import transaction
from hub.effects import Effect
from hub.errors import OutcomeUnknown, ProviderError, Refused
from hub.exchange import Exchange
from hub.facts import AttentionNeeded, CameOut
from hub.falling_back import fall_back
from hub.gates import HAS_NEWS_FOR_THE_GATE, gate_is_fine, gate_learns
from hub.policies import RESTART
from hub.steps import EffectState, Outcome
from hub.subject_rows import database_now, locked, record, take_up_again
from hub.tables import AttemptRow, EffectRow, ProviderGateRow, SubjectColumns, metadata
from hub.tallies import DUPLICATE, tally
from hub.values import Frozen

SETTLED = (EffectState.DONE, EffectState.PENDING, EffectState.REFUSED, EffectState.UNDONE)
_ATTEMPTS = metadata.tables["attempts"]
_ENDED = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.id == bindparam("attempt_id"))
    .values({name: bindparam(name) for name in ("ended_at", "outcome", "http_status", "provider_request_id", "provider_text")})
)
_ENDED_WITH_EFFECT = (  # built once, and one round trip: end the attempt, and read its effect and whether its gate had closed
    select(EffectRow, HAS_NEWS_FOR_THE_GATE)
    .outerjoin(ProviderGateRow, col(ProviderGateRow.provider) == col(EffectRow.provider))
    .where(col(EffectRow.key) == bindparam("key"))
    .add_cte(_ENDED.returning(_ATTEMPTS.c.id).cte("ended"))
)
HAPPENED = (EffectState.DONE, EffectState.PENDING, EffectState.UNDONE)


async def settle(effect: Effect, attempt_id: int, exchange: Exchange, result: Frozen) -> Outcome:
    """Commit what the provider answered, and the fact that follows; return what it means."""
    outcome = effect.what.means(effect.attempt, result)
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        ended = _ended(exchange, str(outcome.state), now) | {"attempt_id": attempt_id, "key": effect.key}
        row, for_the_gate = (await session.exec(_ENDED_WITH_EFFECT, params=ended)).one()
        if for_the_gate:
            await gate_is_fine(session, row.provider)
        await _write(session, subject, row, outcome, result, source=_source(subject, effect), now=now)
    return outcome


async def found(effect: Effect, at: datetime, exchange: Exchange, result: Frozen) -> Outcome:
    """Commit that a look found it done; whatever Prefect remembers is stale from here on."""
    outcome = effect.what.means(effect.attempt, result)
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        row = await _row(session, effect)
        await _note_look(session, effect, at, exchange, "found")
        await gate_is_fine(session, row.provider)
        await found_there(session, subject, row, outcome, result, now=now)
    return outcome


async def found_there(
    session: AsyncSession, subject: SubjectColumns, row: EffectRow, outcome: Outcome, result: Frozen, *, now: datetime
) -> None:
    """Settle the effect of the locked subject by what is at the provider, and end the calls of which nobody knew."""
    await _write(session, subject, row, outcome, result, source="resolver", now=now)
    await end_calls(session, row, "found", now)


def calls_nobody_knows_of(row: EffectRow) -> tuple[ColumnElement[bool], ...]:
    """Return what is true of the effect's calls of which nobody knows what came."""
    unknown = col(AttemptRow.outcome).is_(None) | (col(AttemptRow.outcome) == "unknown")
    return col(AttemptRow.effect_key) == row.key, col(AttemptRow.kind) == "call", unknown


async def _is_in_the_dark(session: AsyncSession, row: EffectRow) -> bool:
    """Tell whether there is a call of the effect of which nobody knows what came."""
    return (await session.exec(select(exists().where(*calls_nobody_knows_of(row))))).one()


async def end_calls(session: AsyncSession, row: EffectRow, outcome: str, now: datetime) -> None:
    """Note what came of the calls of which nobody knew; one that had ended keeps the time of its end."""
    ended_at = func.coalesce(col(AttemptRow.ended_at), now)
    await session.exec(update(AttemptRow).where(*calls_nobody_knows_of(row)).values(outcome=outcome, ended_at=ended_at))


async def absent(effect: Effect, at: datetime, exchange: Exchange) -> float | None:
    """
    Commit that a look, begun at ``at``, found nothing. Seen twice, a gap apart, after every call has surely ended: it did not happen.

    Returns how many seconds to wait before the next look, or None when it is decided. What is pending stays so: the provider has it.
    """
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        row = await _row(session, effect)
        attempts = await _attempts(session, row)
        await _note_look(session, effect, at, exchange, "absent")
        if row.state in SETTLED:
            return None
        calls = [call for call in attempts if call.kind == "call" and call.outcome in (None, "unknown")]
        settled_at = max((call.settles_at for call in calls if call.settles_at), default=at)
        if at < settled_at:
            return (settled_at - now).total_seconds()
        earlier = [a.started_at for a in attempts if a.kind == "look" and a.outcome == "absent" and a.started_at >= settled_at]
        gap = timedelta(seconds=_gap_seconds(calls))
        if not earlier or at - min(earlier) < gap:
            return (min(earlier, default=at) + gap - now).total_seconds()
        if row.same_key_is_useless:
            return None
        for call in calls:
            call.outcome, call.ended_at = "absent", call.ended_at or now
        row.state = EffectState.INTENDED
        subject.epoch += 1
        return 0.0


async def given_up(effect: Effect, at: datetime, exchange: Exchange) -> str:
    """Commit that the last look found nothing, and that a person has to look; return what for."""
    async with transaction() as session:
        subject, _ = await locked(session, effect.subject_id, effect.subject_kind)
        await _note_look(session, effect, at, exchange, "absent")
        return await call_a_person(session, subject, await _row(session, effect))


async def call_a_person(session: AsyncSession, subject: SubjectColumns, row: EffectRow) -> str:
    """Record that nobody knows what came of the effect, so that a person has to look; return what for."""
    reason = _nobody_knows(row)
    await record(session, subject, AttentionNeeded(epoch=subject.epoch, reason=reason), source="resolver")
    row.resume_at = None
    if row.state == EffectState.INTENDED:
        row.state = EffectState.UNKNOWN
    subject.resume_at = await database_now(session)  # the next run tells the team, and nothing else
    return reason


def _nobody_knows(row: EffectRow) -> str:
    command = f"hub {row.subject_kind} resolve {row.subject_id} {row.step}"
    return f"nobody knows whether {row.provider} did {row.action!r}; look there for {row.key}, then say it: {command}"


async def is_known_now(session: AsyncSession, subject: SubjectColumns, row: EffectRow, now: datetime) -> None:
    """Call off the person who was asked what came of the effect: whoever was thought dead has said it, or the provider has."""
    if subject.attention != _nobody_knows(row):
        return
    known = CameOut(step=row.step, attempt=row.attempt, epoch=subject.epoch)
    subject.attention, subject.message = None, "taken up again"
    await record(session, subject, known, source="late run")
    take_up_again(subject, now)


async def done_twice(session: AsyncSession, subject: SubjectColumns, row: EffectRow, reference: str | None, *, source: str) -> None:
    """Record that the provider has also done the effect as ``reference``, so that a person has to look."""
    reason = f"{row.provider} did {row.action!r} twice: {row.reference} and {reference}"
    await record(session, subject, AttentionNeeded(epoch=subject.epoch, reason=reason), source=source)
    await tally(session, DUPLICATE, row.provider, row.action)


async def look_failed(effect: Effect, at: datetime, exchange: Exchange, outcome: str, error: ProviderError) -> None:
    """Commit that a look brought no answer."""
    async with transaction() as session:
        _, now = await locked(session, effect.subject_id, effect.subject_kind)
        row = await _row(session, effect)
        await _note_look(session, effect, at, exchange, outcome)
        await gate_learns(session, effect.what.provider, error)
        if row.useful_until is not None and row.state not in SETTLED:  # nobody waits for a courtesy, so it has to remember itself
            row.resume_at = now + timedelta(seconds=RESTART.wait_seconds(await _runs_that_tried(session, row)))


async def refused(effect: Effect, attempt_id: int | None, exchange: Exchange, refusal: Refused) -> None:
    """Commit that the business answer is no."""
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        row = await _row(session, effect)
        if attempt_id is None:
            await _note_look(session, effect, now, exchange, "refused")
        else:
            await _end_attempt(session, attempt_id, exchange, "refused", now)
        await gate_is_fine(session, row.provider)
        if row.state in SETTLED:
            return
        row.state, row.code, row.reference, row.resume_at = EffectState.REFUSED, refusal.code, refusal.reference, None
        row.settled_at = now
        fact = effect.what.refused_means(effect.attempt, refusal)
        source = "resolver" if attempt_id is None else _source(subject, effect)
        epoch = subject.epoch
        if fact is not None:
            await record(session, subject, fact, source=source)
        await fall_back(session, subject, effect.step)
        await is_known_now(session, subject, row, now)
        if source != "run" and subject.epoch == epoch:
            subject.epoch += 1


async def not_done(effect: Effect, attempt_id: int, exchange: Exchange, outcome: str, error: ProviderError | None = None) -> None:
    """Commit that the call brought no result: surely nothing happened (the effect stays intended), or nobody knows."""
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        row = await _row(session, effect)
        await _end_attempt(session, attempt_id, exchange, outcome, now)
        await gate_learns(session, row.provider, error)
        if row.state in SETTLED:
            return
        if row.state == EffectState.UNKNOWN and not await _is_in_the_dark(session, row):
            row.state = EffectState.INTENDED
            await is_known_now(session, subject, row, now)
        if outcome == "unknown":
            row.state = EffectState.UNKNOWN
            if isinstance(error, OutcomeUnknown):
                row.same_key_is_useless = row.same_key_is_useless or error.same_key_is_useless
        if row.useful_until is not None:
            row.resume_at = now + timedelta(seconds=RESTART.wait_seconds(await _runs_that_tried(session, row)))


async def _write(
    session: AsyncSession, subject: SubjectColumns, row: EffectRow, outcome: Outcome, result: Frozen, *, source: str, now: datetime
) -> None:
    if row.state in HAPPENED and outcome.state in HAPPENED and row.reference != outcome.reference:
        await done_twice(session, subject, row, outcome.reference, source="resolver")
        return
    late = row.state == EffectState.REFUSED and outcome.state == EffectState.PENDING  # the no came by webhook, after this answer was given
    if late or row.state in (EffectState.DONE, EffectState.UNDONE):
        return
    row.state, row.reference, row.code, row.resume_at = outcome.state, outcome.reference, outcome.code, None
    row.result = result.model_dump(mode="json")
    row.settled_at = now
    epoch = subject.epoch
    if outcome.fact is not None:
        await record(session, subject, outcome.fact, source=source)
    subject.progressed_at, subject.runs_without_progress = now, 0
    await is_known_now(session, subject, row, now)
    if source != "run" and subject.epoch == epoch:
        subject.epoch += 1


def _source(subject: SubjectColumns, effect: Effect) -> str:
    """Return whether the running step says so, or a run that no longer decides about the subject."""
    return "run" if (subject.fence, subject.attempt) == (effect.fence, effect.attempt) else "late run"


async def _row(session: AsyncSession, effect: Effect) -> EffectRow:
    return await session.get_one(EffectRow, effect.key)


async def _attempts(session: AsyncSession, row: EffectRow) -> list[AttemptRow]:
    return list(await session.exec(select(AttemptRow).where(col(AttemptRow.effect_key) == row.key).order_by(col(AttemptRow.id))))


async def _runs_that_tried(session: AsyncSession, row: EffectRow) -> int:
    fences = select(func.count(func.distinct(col(AttemptRow.fence)))).where(col(AttemptRow.effect_key) == row.key)
    return (await session.exec(fences)).one()


async def _end_attempt(session: AsyncSession, attempt_id: int, exchange: Exchange, outcome: str, now: datetime) -> None:
    await session.exec(update(AttemptRow).where(col(AttemptRow.id) == attempt_id).values(**_ended(exchange, outcome, now)))


def _ended(exchange: Exchange, outcome: str, now: datetime) -> dict[str, Any]:
    ended = {"ended_at": now, "outcome": outcome, "http_status": exchange.http_status}
    return ended | {"provider_request_id": exchange.request_id, "provider_text": exchange.provider_text}


async def _note_look(session: AsyncSession, effect: Effect, at: datetime, exchange: Exchange, outcome: str) -> None:
    session.add(
        AttemptRow(
            effect_key=effect.key,
            kind="look",
            run_id=effect.run_id,
            fence=effect.fence,
            started_at=at,
            ended_at=await database_now(session),
            outcome=outcome,
            http_status=exchange.http_status,
            provider_request_id=exchange.request_id,
            provider_text=exchange.provider_text,
        )
    )


def _gap_seconds(calls: list[AttemptRow]) -> float:
    """Return the gap between two looks: as long as a call may be late, at least a second."""
    windows = [(c.settles_at - c.send_by).total_seconds() for c in calls if c.settles_at and c.send_by]
    return max(1.0, min(windows, default=1.0) / 4)
