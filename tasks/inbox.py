"""The inbox is worked through, and what has something to do after it is started."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prefect import get_run_logger, task
from prefect.runtime import flow_run

from hub.database import unhurried
from hub.handling import BATCH, handle_some
from hub.inbox_watch import InboxWatch
from hub.policies import INTERNAL
from hub.values import Frozen
from tasks.memory import worth_another_transaction
from tasks.recovery import start_these

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Drained(Frozen):
    """What came of the notices that were due: how many by state, and how many runs were started because of them."""

    notices: dict[str, int]
    started: int


GATHER_SECONDS = 0.1
"""Between two looks, unless a batch was full: what comes meanwhile is handled together, which costs far less than each by itself."""


@task(name="drain-inbox", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def drain_inbox(*, at_most_seconds: float = 10) -> Drained:
    """Handle what is kept until nothing is due, and start the runs that follow as soon as their facts are committed."""
    return await _drain(None, 0, at_most_seconds)


@task(name="watch-inbox", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def watch_inbox(*, linger_seconds: float, at_most_seconds: float) -> Drained:
    """
    Handle what is kept, and stay for what comes; do nothing when another run is at it.

    Providers tell several things in a row: the inbox is watched for ``linger_seconds`` after the last of them, which spares a flow run for
    each, and the time until it starts. After ``at_most_seconds`` this ends all the same, and leaves the rest to the next run.
    """
    async with _watching() as watch:
        return await _drain(watch, linger_seconds, at_most_seconds)


async def _drain(watch: InboxWatch | None, linger_seconds: float, at_most_seconds: float) -> Drained:
    counts, started = Counter[str](), 0
    begun = last = time.monotonic()
    while time.monotonic() - begun < at_most_seconds and (watch is None or await watch.is_mine()):
        handled = await handle_some()
        if handled.by_state:
            counts += handled.by_state
            started += await start_these(handled.due)
            last = time.monotonic()
        if handled.by_state.total() < BATCH:
            if time.monotonic() - last >= linger_seconds:
                break
            await asyncio.sleep(GATHER_SECONDS)
    if counts:
        get_run_logger().info("%s; %d runs started", ", ".join(f"{n} {state}" for state, n in counts.items()), started)
    return Drained(notices=dict(counts), started=started)


@asynccontextmanager
async def _watching() -> AsyncIterator[InboxWatch]:
    watch = InboxWatch(str(flow_run.id))
    try:
        yield watch
    finally:
        await unhurried(watch.leave())
