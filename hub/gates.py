"""
Whether a provider may be called now, and how fast: one row per provider, asked in Begin and moved by what calls bring, for all processes.

A gate is closed by a person, by a provider that asks for patience, by answers that say that we are misconfigured, or by too many failures.
After the last two, the first call is a probe: while it is under way the gate stays closed, and what comes of it decides for everybody.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.begun import Wait
from hub.errors import LeftTooLate, Misconfigured, NotSent, OutcomeUnknown, ProviderError, RateLimited
from hub.gate_changes import moving
from hub.policies import BREAKER, CLOSES_AFTER_MISCONFIGURED, GATE_CLOSED_SECONDS, LOOK_WHETHER_PAUSED_SECONDS
from hub.settings import settings
from hub.subject_rows import database_now
from hub.tables import ProviderGateRow
from hub.tallies import LIMITED, tally_seconds

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession
    from sqlmodel.sql.expression import SelectOfScalar

PATIENCE = "it asks for patience"
SPREAD = 0.2
"""Who waits in place for the end of a provider's patience waits up to this share longer, so that not all come at once."""
LATE_SECONDS = 1.0
_FRESH = {"populate_existing": True}
HAS_NEWS_FOR_THE_GATE: ColumnElement[bool] = or_(
    col(ProviderGateRow.misconfigured_in_a_row) > 0,
    col(ProviderGateRow.window_began_at).is_not(None),
    col(ProviderGateRow.probes),
    col(ProviderGateRow.closed_until).is_not(None),
)
"""Whether a success changes anything about the gate; on a good day it does not, and nothing is written."""


class Shut(NamedTuple):
    """The provider may not be called for so long."""

    seconds: float
    why: str


def is_free(gate: ProviderGateRow | None, now: datetime) -> bool:
    """Tell whether a call may go through without another look at the gate."""
    if gate is None:
        return True
    return not (gate.paused or gate.probes or gate.rate_per_second) and (gate.closed_until is None or gate.closed_until <= now)


async def pass_gate(
    session: AsyncSession, provider: str, now: datetime, *, slot: datetime | None, call_seconds: float
) -> Shut | Wait | None:
    """
    Let a call through (None), or say why not, or when, as the gate that is there has it. Its row stays locked until the transaction ends.

    ``slot`` is the place that the call was given before; ``call_seconds`` is how long a probe may take at most.
    """
    gate = (await session.exec(_row_of(provider), execution_options=_FRESH)).one()
    if gate.paused is not None:
        return Shut(LOOK_WHETHER_PAUSED_SECONDS * settings().time_scale, f"{provider} is paused: {gate.paused}")
    if gate.closed_until is not None and gate.closed_until > now:
        seconds = (gate.closed_until - now).total_seconds()
        if gate.probes or seconds > settings().wait_in_place_seconds:
            return Shut(seconds, f"{provider} is closed: {gate.reason or PATIENCE}")
        return Wait(seconds * (1 + random.uniform(0, SPREAD)), f"{provider} asks for patience", slot)  # noqa: S311 - not all at once
    if gate.probes:
        gate.closed_until = now + timedelta(seconds=call_seconds)
        gate.probing = True
        return None
    if gate.rate_per_second is None:
        return None
    now = await database_now(session)  # many may have waited for the row: by the time before that, they would wait again
    if slot is not None and now < slot + timedelta(seconds=settings().send_window_seconds):
        return _use_the_place(gate, gate.rate_per_second, slot, now)
    met = _take_a_place(gate, gate.rate_per_second, now)
    if met is not None:
        await tally_seconds(session, LIMITED, provider, seconds=met.seconds)
    return met


def _take_a_place(gate: ProviderGateRow, rate: float, now: datetime) -> Shut | Wait | None:
    """Charge a token of the bucket, also one that is still to come when that is worth waiting for in place."""
    free_at = max(gate.free_at or now, now)
    at = free_at - timedelta(seconds=(gate.burst - 1) / rate)
    wait = (at - now).total_seconds()
    patience = settings().wait_in_place_seconds
    if wait > patience:
        return Shut(wait + random.uniform(0, patience), f"{gate.provider} is limited to {rate:g} a second")  # noqa: S311 - not all at once
    gate.free_at = free_at + timedelta(seconds=1 / rate)
    if wait <= 0:
        return _go_through(gate, rate, at, now, at_once=gate.burst, paid_for=now)
    kept_back = (gate.burst - _at_once_of_those_who_wait(gate)) / rate
    return _in_the_queue(gate, wait + kept_back, at + timedelta(seconds=kept_back))


def _use_the_place(gate: ProviderGateRow, rate: float, slot: datetime, now: datetime) -> Wait | None:
    """
    Let the call through that has waited for its turn.

    Now and then processes are late for their turns. That is made up for, up to a second's worth and half of what may go at once, so that
    one that stood still does not let all of its calls go together.
    """
    late = timedelta(seconds=max(1 / rate, min(LATE_SECONDS, gate.burst / 2 / rate)))
    at_once = _at_once_of_those_who_wait(gate)
    return _go_through(gate, rate, slot, now, at_once=at_once, paid_for=now + timedelta(seconds=(gate.burst - 1) / rate) - late)


def _at_once_of_those_who_wait(gate: ProviderGateRow) -> int:
    """Return the burst less one call, which is kept back: calls can arrive a little closer together than they left."""
    return max(gate.burst - 1, 1)


def _go_through(gate: ProviderGateRow, rate: float, slot: datetime, now: datetime, *, at_once: int, paid_for: datetime) -> Wait | None:
    """Count the call among those that really go, whenever their turns were: up to ``paid_for`` at least, what was not used is lost."""
    passed_at = gate.passed_at or now
    earliest = passed_at - timedelta(seconds=(at_once - 1) / rate)
    if earliest > now:
        return _in_the_queue(gate, (earliest - now).total_seconds(), slot)
    gate.passed_at = max(passed_at, paid_for) + timedelta(seconds=1 / rate)
    return None


def _in_the_queue(gate: ProviderGateRow, seconds: float, slot: datetime) -> Wait:
    return Wait(seconds, f"{gate.provider} is limited", slot)


async def gate_is_fine(session: AsyncSession, provider: str) -> None:
    """Note that the provider did what we asked, or said no: a probe that succeeds opens the gate, and nothing is wrong with our key."""
    gate = (await session.exec(_row_of(provider).where(HAS_NEWS_FOR_THE_GATE), execution_options=_FRESH)).one_or_none()
    if gate is None:
        return
    now = await database_now(session)
    with moving(session, gate):
        gate.misconfigured_in_a_row = 0
        if gate.probing:
            gate.probes = gate.probing = False
            gate.closed_until = gate.reason = gate.window_began_at = None
            gate.closings, gate.wakes = 0, True
            return
        if gate.window_began_at is not None:
            gate.calls += 1
            if _is_over(gate, now):
                gate.window_began_at = None
        if gate.closed_until is not None and gate.closed_until <= now and not gate.probes:
            gate.closed_until = gate.reason = None


async def gate_learns(session: AsyncSession, provider: str, error: ProviderError | None) -> None:
    """
    Note that a call went wrong.

    The third misconfigured answer in a row closes the gate, and so does a provider that asks for patience, and a share of failures that is
    too high. A business refusal is none, and neither is a call that we did not send in time.
    """
    says_something = isinstance(error, Misconfigured | NotSent | OutcomeUnknown) and not isinstance(error, LeftTooLate)
    if not says_something or (isinstance(error, RateLimited) and error.retry_after_seconds is None):
        return
    gate = await locked_gate(session, provider)
    now = await database_now(session)
    with moving(session, gate):
        match error:
            case Misconfigured():
                gate.misconfigured_in_a_row += 1
                if gate.probing or gate.misconfigured_in_a_row >= CLOSES_AFTER_MISCONFIGURED:
                    _close(gate, now, GATE_CLOSED_SECONDS * settings().time_scale, f"misconfigured: {error.reason}")
            case RateLimited():
                _be_patient(gate, now, error.retry_after_seconds or 0)
            case _:
                _count_failure(gate, now)


def _count_failure(gate: ProviderGateRow, now: datetime) -> None:
    if not gate.breaks or (gate.probes and not gate.probing):
        return  # the latter is a call that was under way when the gate closed
    if gate.window_began_at is None or _is_over(gate, now):
        gate.window_began_at, gate.calls, gate.failures = now, 0, 0
    gate.calls += 1
    gate.failures += 1
    if gate.probing or (gate.calls >= BREAKER.least_calls and gate.failures >= BREAKER.share * gate.calls):
        seconds = min(BREAKER.closed_seconds * 2**gate.closings, BREAKER.longest_seconds) * settings().time_scale
        gate.closings += 1
        _close(gate, now, seconds, f"{gate.failures} of {gate.calls} calls failed")


def _is_over(gate: ProviderGateRow, now: datetime) -> bool:
    return gate.window_began_at is None or now - gate.window_began_at > timedelta(seconds=BREAKER.window_seconds)


def _close(gate: ProviderGateRow, now: datetime, seconds: float, reason: str) -> None:
    until = now + timedelta(seconds=seconds)
    if gate.probing or gate.closed_until is None or gate.closed_until < until:
        gate.closed_until, gate.reason = until, reason
    gate.probes, gate.probing, gate.window_began_at = True, False, None


def _be_patient(gate: ProviderGateRow, now: datetime, seconds: float) -> None:
    """Close the gate for as long as the provider wishes; one that ends with a probe still does. A moment's wish is no reason to name."""
    until = now + timedelta(seconds=seconds)
    if gate.probing or gate.closed_until is None or gate.closed_until < until:
        gate.closed_until = until
        if seconds > settings().wait_in_place_seconds:
            gate.reason = gate.reason or PATIENCE
    gate.probing = False


async def locked_gate(session: AsyncSession, provider: str) -> ProviderGateRow:
    """Lock the provider's row, which is made when it is first needed; two that need it at once make one."""
    await session.exec(insert(ProviderGateRow).values(provider=provider).on_conflict_do_nothing())
    return (await session.exec(_row_of(provider), execution_options=_FRESH)).one()


def _row_of(provider: str) -> SelectOfScalar[ProviderGateRow]:
    return select(ProviderGateRow).where(col(ProviderGateRow.provider) == provider).with_for_update()
