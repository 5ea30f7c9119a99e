"""The inbox is worked through, and what has something to do after it is started."""

from __future__ import annotations

from collections import Counter

from prefect import get_run_logger, task

from hub.handling import handle_some
from hub.policies import INTERNAL
from hub.values import Frozen
from tasks.memory import worth_another_transaction
from tasks.recovery import start_these


class Drained(Frozen):
    """What came of the notices that were due: how many by state, and how many runs were started because of them."""

    notices: dict[str, int]
    started: int


@task(name="drain-inbox", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def drain_inbox() -> Drained:
    """Handle what is kept until nothing is due, and start the runs that follow as soon as their facts are committed."""
    counts, started = Counter[str](), 0
    while (handled := await handle_some()).by_state:
        counts += handled.by_state
        started += await start_these(handled.due)
    if counts:
        get_run_logger().info("%s; %d runs started", ", ".join(f"{n} {state}" for state, n in counts.items()), started)
    return Drained(notices=dict(counts), started=started)
