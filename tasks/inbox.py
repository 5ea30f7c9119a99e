"""The inbox is worked through, and what has something to do after it is started."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from prefect import get_run_logger, task

from hub.handling import handle_some
from hub.inbox import clear_old_content
from hub.policies import INTERNAL
from hub.values import Frozen
from tasks.memory import worth_another_transaction
from tasks.recovery import start_these


class Drained(Frozen):
    """What came of the notices that were due: how many by state, and how many runs were started because of them."""

    notices: dict[str, int]
    started: int


LOOK_SECONDS = 0.1


@task(name="drain-inbox", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def drain_inbox(*, linger_seconds: float = 0, at_most_seconds: float = 10) -> Drained:
    """
    Handle what is kept until nothing is due, and start the runs that follow as soon as their facts are committed.

    Providers tell several things in a row: with ``linger_seconds`` the inbox is watched for so long after the last of them, which spares a
    flow run for each, and the time until it starts. After ``at_most_seconds`` it ends all the same, and leaves the rest to the next run.
    """
    counts, started = Counter[str](), 0
    begun = last = time.monotonic()
    while time.monotonic() - begun < at_most_seconds:
        handled = await handle_some()
        if handled.by_state:
            counts += handled.by_state
            started += await start_these(handled.due)
            last = time.monotonic()
        elif time.monotonic() - last < linger_seconds:
            await asyncio.sleep(LOOK_SECONDS)
        else:
            break
    if counts:
        get_run_logger().info("%s; %d runs started", ", ".join(f"{n} {state}" for state, n in counts.items()), started)
    return Drained(notices=dict(counts), started=started)


@task(name="forget-old-content", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def forget_old_content() -> int:
    """Clear what was in notices that were over long ago; returns how many."""
    cleared = await clear_old_content()
    if cleared:
        get_run_logger().info("the content of %d old notices was cleared; that they came stays known", cleared)
    return cleared
