"""Steps of a sign-up that are tried, and whose failure is noted and reported instead of raised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prefect import task

from hub.claims import restart_wait_seconds
from hub.effects import Parked
from hub.errors import ProviderError, Refused
from hub.policies import INTERNAL
from hub.signup_decisions import Conclusion, conclude, miss, outcome_of
from hub.signup_facets import NOTIFICATIONS, StepName, StepOutcome
from hub.signups import Signup
from tasks.bulk import straight
from tasks.memory import worth_another_transaction

_UNFINISHED = (StepOutcome.OPEN, StepOutcome.UNKNOWN, StepOutcome.WAITS)


async def tried(signup: Signup, step: StepName, work: Callable[[Signup], Awaitable[Any]]) -> StepOutcome:
    """
    Do the step unless it is over or was not asked for, and return what came of it; only a bug of ours raises.

    A message that was surely not sent is tried again as long as it is useful. A profile or a payment that was surely not made is reported,
    and not made later behind anybody's back.
    """
    known = signup.facets.of(step)
    again = step in NOTIFICATIONS and known is StepOutcome.UNAVAILABLE
    if known not in _UNFINISHED and not again:
        return known
    try:
        await work(signup)
    except Refused:
        return await outcome_of(signup, step)
    except (ProviderError, Parked):
        return await miss(signup, step)
    return await outcome_of(signup, step)


async def side_by_side(*steps: Awaitable[Any]) -> None:
    """Let all steps end, each on its own; then raise the first bug, if one had any."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


@straight
@task(
    name="records",
    task_run_name="record {signup.id}",
    persist_result=False,
    retry_condition_fn=worth_another_transaction,
    **INTERNAL.task_options(),
)
async def record_signup(signup: Signup) -> Conclusion:
    """Write the registration, the log of its operations and the final status down."""
    return await conclude(signup)


def park_if_unfinished(concluded: Conclusion) -> None:
    """
    Do nothing when everything is known and recorded.

    Raises:
        Parked: Otherwise; another run goes on later.
    """
    wait = restart_wait_seconds(concluded.runs_without_progress)
    if concluded.unknown:
        raise Parked(wait, "nobody knows yet whether it happened", counts=True)
    if not concluded.recorded:
        raise Parked(wait, "the database did not take the records", counts=True)
