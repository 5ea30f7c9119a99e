"""
Exactly once: intent before effect, and finding out before asking again.

``once`` is all that a task needs. Begin commits what is about to be done, Call asks the provider with the stored request, Settle commits
what came of it, and Resolve finds out what nobody knows. The rows are in ``effects`` and ``attempts``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from hub.beginning import begin, begin_to_find_out
from hub.begun import Ask, Known, Look, NotDone, Wait
from hub.database import steadfast
from hub.effects import Effect, LeaseLost, Parked, Terms
from hub.errors import Misconfigured, NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused, outcome_of
from hub.exchange import Exchange, exchanging
from hub.provider_log import crossing
from hub.settings import settings
from hub.settling import absent, found, given_up, look_failed, not_done, refused, settle
from hub.steps import EffectState, Outcome
from hub.values import Frozen

Request = TypeVar("Request", bound=Frozen)
Result = TypeVar("Result", bound=Frozen)

Call = Callable[..., Awaitable[Result]]
"""``call(request, *, key)`` asks the provider, once."""
Find = Callable[..., Awaitable[Result | None]]
"""``find(request, *, key, since)`` looks whether the provider did it; None: no trace of it."""


async def once(effect: Effect, *, terms: Terms, call: Call[Result], find: Find[Result] | None = None) -> Result:
    """
    Return what came of ``effect``, asking the provider only when that is right: nothing was sent yet, or it is known not to have happened.

    Short waits (a rate limit, a call in flight, the gap between two looks) happen in place, longer ones park the subject.

    Raises:
        Refused: The business answer is no, now or earlier.
        NotSent: Surely nothing happened; may be asked again.
        OutcomeUnknown: It may have happened; the next call finds out.
        Misconfigured: An operator has to mend something.
        Parked: The subject has to wait longer than a run should.
        LeaseLost: This run no longer decides about the subject.
    """
    slot: datetime | None = None
    while True:
        begun_at = time.monotonic()
        match await begin(effect, terms, slot):
            case Known(result):
                return effect.what.result.model_validate(result)  # type: ignore[return-value] # the step's own type
            case Wait(seconds, why, slot):
                await _wait(seconds, why)
            case Ask() as ask:
                outcome = await _ask(effect, ask, call, begun_at)
                if outcome is not None:
                    return outcome
            case Look() as look:
                outcome = await _look(effect, look, find)
                if outcome is not None:
                    return outcome


async def find_out(effect: Effect, *, terms: Terms, find: Find[Result]) -> Result | None:
    """
    Return what came of ``effect`` without ever asking for it; None when it surely did not happen. Raises like ``once``.

    For what is no longer wanted once somebody was told that it had failed.
    """
    slot: datetime | None = None
    while True:
        match await begin_to_find_out(effect, terms, slot):
            case NotDone():
                return None
            case Known(result):
                return effect.what.result.model_validate(result)  # type: ignore[return-value] # the step's own type
            case Wait(seconds, why, slot):
                await _wait(seconds, why)
            case Look() as look:
                outcome = await _look(effect, look, find)
                if outcome is not None:
                    return outcome


async def _ask(effect: Effect, ask: Ask, call: Call[Result], begun_at: float) -> Result | None:
    """Call with the stored request and commit the outcome; None to begin anew, which waits as long as the provider wishes."""
    exchange = Exchange(send_by=begun_at + settings().send_window_seconds)
    try:
        request = type(effect.request).model_validate(ask.request)
        with exchanging(exchange), crossing(effect, "call", exchange) as crossed:
            result = await call(request, key=ask.provider_key)
            crossed.outcome = str(effect.what.means(effect.attempt, result).state)
    except Refused as refusal:
        await steadfast(partial(refused, effect, ask.attempt_id, exchange, refusal))
        raise
    except RateLimited as limit:
        await steadfast(partial(not_done, effect, ask.attempt_id, exchange, "rate_limited", limit))
        if limit.retry_after_seconds is None:
            raise
        return None
    except (NotSent, Misconfigured, OutcomeUnknown) as error:
        await steadfast(partial(not_done, effect, ask.attempt_id, exchange, outcome_of(error), error))
        raise
    except BaseException:
        outcome = "unknown" if exchange.sent else "not_sent"
        await steadfast(partial(not_done, effect, ask.attempt_id, exchange, outcome))
        raise
    return _accepted(effect, await steadfast(partial(settle, effect, ask.attempt_id, exchange, result)), result)


async def _look(effect: Effect, look: Look, find: Find[Result] | None) -> Result | None:
    """
    Ask the provider what has happened, and commit the answer; None to begin anew, at once or after a wait.

    Before a call has surely ended, only a find decides anything.
    """
    if find is None:
        raise OutcomeUnknown(effect.what.provider, effect.what.action, "nobody can tell whether it happened")
    exchange = Exchange()
    try:
        with exchanging(exchange), crossing(effect, "look", exchange) as crossed:
            result = await find(type(effect.request).model_validate(look.request), key=look.provider_key, since=look.since)
            crossed.outcome = "absent" if result is None else "found"
    except Refused as refusal:
        await steadfast(partial(refused, effect, None, exchange, refusal))
        raise
    except ProviderError as error:
        await steadfast(partial(look_failed, effect, look.at, exchange, outcome_of(error), error))
        if not isinstance(error, RateLimited) or error.retry_after_seconds is None:
            raise
        return None
    if result is not None:
        return _accepted(effect, await steadfast(partial(found, effect, look.at, exchange, result)), result)
    if look.last_chance:
        raise LeaseLost(await steadfast(partial(given_up, effect, look.at, exchange)))
    wait = await steadfast(partial(absent, effect, look.at, exchange))
    if look.known is not None:
        return effect.what.result.model_validate(look.known)  # type: ignore[return-value] # the step's own type
    if look.same_key_is_useless and wait is None:
        raise OutcomeUnknown(effect.what.provider, effect.what.action, "absent so far, and its key brings no answer")
    if wait is not None:
        await _wait(wait, f"looking once more whether {effect.what.provider} did it")
    return None


def _accepted(effect: Effect, outcome: Outcome, result: Result) -> Result:
    """Return ``result``, unless it says no: an answer means the same the first time and whenever the ledger is asked later."""
    if outcome.state is EffectState.REFUSED:
        code = outcome.code or ""
        raise Refused(effect.what.provider, effect.what.action, f"the answer is no ({code})", code, outcome.reference)
    return result


async def _wait(seconds: float, why: str) -> None:
    if seconds > settings().wait_in_place_seconds:
        raise Parked(seconds, why)
    await asyncio.sleep(max(seconds, 0))
