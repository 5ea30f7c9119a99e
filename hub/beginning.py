"""Begin: one transaction that decides whether a provider may be asked, and commits the intent before it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import and_, bindparam, func, literal, true
from sqlmodel import col, select

from hub.begun import Ask, Known, Look, NotDone, Wait
from hub.claims import check_claim
from hub.database import transaction
from hub.effects import Effect, LeaseLost, Parked, Terms
from hub.errors import NobodyKnows, Refused
from hub.falling_back import fall_back
from hub.gates import Shut, is_free, pass_gate
from hub.intending import intend, intend_first_call
from hub.kinds import kind_of
from hub.lost_answers import WhenLost, when_lost
from hub.policies import KEY_LIFE_SECONDS, LOOK_WHETHER_PAUSED_SECONDS, RESTART
from hub.recovery import can_be_looked_for, count_as_asked, may_have_been_asked
from hub.settings import settings
from hub.settling import call_a_person, calls_nobody_knows_of
from hub.steps import EffectState
from hub.subject_rows import database_now, locked
from hub.tables import AttemptRow, EffectRow, HubIdentity, ProviderGateRow, SubjectColumns

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


_ONE = select(literal(1).label("one")).subquery()
_EFFECTS_AND_GATE = (  # built once, and one look for all: a row comes back even when there is no effect and no gate
    select(EffectRow, ProviderGateRow, HubIdentity)
    .select_from(_ONE)
    .join(HubIdentity, true())
    .outerjoin(ProviderGateRow, col(ProviderGateRow.provider) == bindparam("provider"))
    .outerjoin(
        EffectRow,
        and_(
            col(EffectRow.subject_kind) == bindparam("kind"),
            col(EffectRow.subject_id) == bindparam("id"),
            col(EffectRow.step) == bindparam("step"),
        ),
    )
    .order_by(col(EffectRow.attempt).desc())
)


async def begin(effect: Effect, terms: Terms, slot: datetime | None = None) -> Ask | Known | Look | Wait:
    """
    Decide what to do about ``effect`` now, and commit the decision. ``slot`` is what an earlier ``Wait`` brought.

    Raises:
        Refused: It was refused before.
        NobodyKnows: It may have happened and cannot be found out.
        Parked: The provider's gate is closed, or the step's budget is spent.
        LeaseLost: Not this run's to decide, or the subject has moved on.
    """
    decided = await _decided(effect, terms, slot, may_ask=True)
    if isinstance(decided, NotDone):
        raise TypeError("who may ask is told to")
    return decided


async def begin_to_find_out(effect: Effect, terms: Terms, slot: datetime | None = None) -> Known | Look | Wait | NotDone:
    """
    Decide like ``begin`` how to learn what came of ``effect``, but never to ask for it: no attempt is committed. Raises like ``begin``.

    Also where the provider keeps keys: a repeat under the key would do what was not done.
    """
    decided = await _decided(effect, replace(terms, keeps_keys=False), slot, may_ask=False)
    if isinstance(decided, Ask):
        raise TypeError("nobody may ask")
    return decided


async def _decided(effect: Effect, terms: Terms, slot: datetime | None, *, may_ask: bool) -> Ask | Known | Look | Wait | NotDone:
    try:
        async with transaction() as session:
            return await _decide(session, effect, terms, slot, may_ask=may_ask)
    except _AfterCommit as decided:
        raise decided.error from None


class _AfterCommit(Exception):
    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class _Case:
    """What lies before Begin: the effect and the terms of its account, its locked subject, the provider's gate, the hub, and the time."""

    effect: Effect
    terms: Terms
    slot: datetime | None
    subject: SubjectColumns
    gate: ProviderGateRow | None
    hub: HubIdentity
    now: datetime


async def _decide(
    session: AsyncSession, effect: Effect, terms: Terms, slot: datetime | None, *, may_ask: bool
) -> Ask | Known | Look | Wait | NotDone:
    subject, now = await locked(session, effect.subject_id, effect.subject_kind)
    _check(subject, effect, now)
    row, gate, hub = await _effect_row(session, effect)
    case = _Case(effect, terms, slot, subject, gate, hub, now)
    if row is not None and (known := _what_is_known(effect, row)) is not None:
        return known
    if hub.recovering:
        raise Parked(LOOK_WHETHER_PAUSED_SECONDS * settings().time_scale, "the hub is in recovery")
    if row is not None and row.state == EffectState.PENDING:  # the provider has it; looking how far it is needs no permission
        await _check_budget(session, effect, now)
        look = Look(row.request, f"{effect.hub_id}:{row.key}", row.created_at, now, known=row.result)
        return await _wait_at_the_gate(session, case, row) or look
    if may_ask and not effect.what.permits(kind_of(subject).facets_of(subject)):
        raise LeaseLost(f"{subject.status} does not permit the step {effect.step}")
    if await may_have_been_asked(session, hub, subject, effect, row, terms):
        row = await count_as_asked(session, hub, effect, row, now)
        if not await can_be_looked_for(session, hub, effect):
            await _leave(session, LeaseLost(await call_a_person(session, subject, row)))
    if row is None and not may_ask:
        return NotDone()
    send_by = now + timedelta(seconds=settings().send_window_seconds)
    settles_at = send_by + timedelta(seconds=terms.timeout_seconds + terms.late_seconds)
    if row is None and is_free(gate, now):
        first = await intend_first_call(session, effect, now, send_by, settles_at)
        return Ask(first, effect.request.model_dump(mode="json"), f"{effect.hub_id}:{effect.key}")
    row = row or await intend(session, effect, now)
    calls = await _open_calls(session, row)
    if calls and (decided := await _about_open_calls(session, case, row, calls)) is not None:
        return decided
    if not may_ask:
        return NotDone()
    if row.useful_until is not None and now > row.useful_until:
        row.state, row.code, row.resume_at = EffectState.REFUSED, "no_longer_useful", None
        await fall_back(session, subject, effect.step)
        await _leave(session, Refused(row.provider, row.action, "no longer useful", "no_longer_useful"))
    await _check_budget(session, effect, now)
    if (wait := await _wait_at_the_gate(session, case, row)) is not None:
        return wait
    attempt = AttemptRow(
        effect_key=row.key,
        kind="call",
        run_id=effect.run_id,
        fence=effect.fence,
        started_at=now,
        send_by=send_by,
        settles_at=settles_at,
    )
    session.add(attempt)
    await session.flush()
    return Ask(attempt.id, row.request, f"{effect.hub_id}:{row.key}")


def _check(subject: SubjectColumns, effect: Effect, now: datetime) -> None:
    """Raise ``LeaseLost`` unless this run may decide about the effect; one that is owed belongs to no attempt."""
    check_claim(subject, effect.fence, effect.run_id, subject.attempt if effect.what.owed_request else effect.attempt, now)


async def _effect_row(session: AsyncSession, effect: Effect) -> tuple[EffectRow | None, ProviderGateRow | None, HubIdentity]:
    """Return this attempt's effect, or what an earlier attempt has done of the step and is still good; the provider's gate; the hub."""
    which = {"kind": effect.subject_kind, "id": effect.subject_id, "step": effect.step, "provider": effect.what.provider}
    rows = list(await session.exec(_EFFECTS_AND_GATE, params=which))
    good = (row for row, _, _ in rows if row is not None and (row.key == effect.key or row.state == EffectState.DONE))
    return next(good, None), rows[0][1], rows[0][2]


def _what_is_known(effect: Effect, row: EffectRow) -> Known | None:
    if row.result is not None and (row.state == EffectState.DONE or (row.state == EffectState.PENDING and not effect.what.polled)):
        return Known(row.result)
    if row.state == EffectState.REFUSED:
        raise Refused(row.provider, row.action, f"refused before ({row.code})", row.code or "", row.reference)
    if row.state == EffectState.UNDONE:
        raise LeaseLost(f"{effect.key} was undone")
    return None


async def intend_once(session: AsyncSession, effect: Effect) -> None:
    """Insert the effect as intended, unless this subject's step has had one: the next run makes it (``hub.owed``)."""
    if (await _effect_row(session, effect))[0] is None:
        now = await database_now(session)
        (await intend(session, effect, now)).resume_at = now


async def postpone(effect: Effect) -> None:
    """Remember a courtesy that cannot even be begun now (its account could not be loaded), so that it is made up for later."""
    if effect.what.useful_seconds is None:
        return
    async with transaction() as session:
        subject, now = await locked(session, effect.subject_id, effect.subject_kind)
        _check(subject, effect, now)
        row = (await _effect_row(session, effect))[0] or await intend(session, effect, now)
        if row.state == EffectState.INTENDED:
            row.resume_at = now + timedelta(seconds=RESTART.wait_seconds(1))


async def _open_calls(session: AsyncSession, row: EffectRow) -> list[AttemptRow]:
    """Return the calls of which nobody knows what came, oldest first."""
    return list(await session.exec(select(AttemptRow).where(*calls_nobody_knows_of(row)).order_by(col(AttemptRow.id))))


async def _about_open_calls(session: AsyncSession, case: _Case, row: EffectRow, calls: list[AttemptRow]) -> Look | Wait | None:
    """Decide about calls whose outcome nobody knows; None means that asking (again) is right."""
    terms, now = case.terms, case.now
    age = (now - calls[0].started_at).total_seconds()
    way = when_lost(case.effect.what, terms)
    if way is WhenLost.REPEATED or (way is WhenLost.SAME_KEY and not row.same_key_is_useless and age < KEY_LIFE_SECONDS):
        return None
    asked_since = max(calls[0].started_at, case.hub.recovery_ended_at or calls[0].started_at)
    open_too_long = (now - asked_since).total_seconds() > settings().unknown_seconds
    if open_too_long and not terms.can_be_asked:
        if case.subject.attention is not None and row.state == EffectState.UNKNOWN and row.resume_at is None:
            await _leave(session, NobodyKnows(row.provider, row.action, "a person has been asked to look"))
        await _leave(session, LeaseLost(await call_a_person(session, case.subject, row)))
    if not open_too_long:
        await _check_budget(session, case.effect, now)
    settles_at = max(call.settles_at or now for call in calls)
    if settles_at > now and not (terms.can_be_asked and row.same_key_is_useless):
        if row.useful_until is not None:
            row.resume_at = settles_at  # a courtesy that the order does not wait for is remembered
        return Wait((settles_at - now).total_seconds(), f"a call to {row.provider} may still be under way")
    if not terms.can_be_asked:
        row.state = EffectState.UNKNOWN
        row.resume_at = asked_since + timedelta(seconds=settings().unknown_seconds)
        await _leave(session, NobodyKnows(row.provider, row.action, "it may have happened, and it cannot be asked"))
    since, useless = calls[0].started_at, row.same_key_is_useless
    look = Look(row.request, f"{case.effect.hub_id}:{row.key}", since, now, same_key_is_useless=useless, last_chance=open_too_long)
    return await _wait_at_the_gate(session, case, row) or look


async def _check_budget(session: AsyncSession, effect: Effect, now: datetime, wait_seconds: float = 0) -> None:
    """
    Park the subject when what this run has done for the step, and a wait now, take longer than its budget.

    What left too late does not count: the provider was never asked, and it is we who were slow (a database that was away, say).
    """
    mine = (col(AttemptRow.effect_key) == effect.key, col(AttemptRow.fence) == effect.fence)
    asked = col(AttemptRow.outcome).is_distinct_from("not_sent") | (
        col(AttemptRow.ended_at) <= func.coalesce(col(AttemptRow.send_by), col(AttemptRow.ended_at))
    )
    first = (await session.exec(select(func.min(AttemptRow.started_at)).where(*mine, asked))).one()
    policy = effect.what.policy
    if first is not None and (now - first).total_seconds() + wait_seconds > policy.budget_seconds * settings().time_scale:
        raise Parked(policy.wait_seconds(policy.attempts), f"{effect.what.provider} took longer than {policy.name} may", counts=True)


async def _wait_at_the_gate(session: AsyncSession, case: _Case, row: EffectRow) -> Wait | None:
    """Return how long the call waits in place for its turn, or None when it may go; when it is longer, the subject parks."""
    if is_free(case.gate, case.now):
        return None
    call_seconds = settings().send_window_seconds + case.terms.timeout_seconds
    met = await pass_gate(session, case.effect.what.provider, case.now, slot=case.slot, call_seconds=call_seconds)
    if isinstance(met, Shut):
        if row.useful_until is not None:
            row.resume_at = case.now + timedelta(seconds=met.seconds)
        await _leave(session, Parked(met.seconds, met.why))
    if met is not None:
        await _check_budget(session, case.effect, case.now, met.seconds)
    return met


async def _leave(session: AsyncSession, error: Exception) -> NoReturn:
    """Commit what was written and raise ``error``."""
    await session.commit()
    raise _AfterCommit(error)
