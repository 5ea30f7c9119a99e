"""Many orders in one run: side by side up to a limit, each straight to the ledger, with progress and a table of what came of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact

from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.tasks import Task

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

PROGRESS_SECONDS = 1.0
ROWS = 1000
"""The table artifact shows at most so many orders, those that did not go well first."""

_in_bulk: ContextVar[bool] = ContextVar("in_bulk", default=False)


class OrderOutcome(Frozen):
    """What came of one order; ``well`` when nothing has to be looked at."""

    order_id: str
    status: str
    message: str
    well: bool


class BulkResult(Frozen):
    """What came of many orders: how many by status, and how long it took."""

    orders: int
    by_status: dict[str, int]
    seconds: float


def straight(step: Task[Parameters, Coroutine[Any, Any, Result]]) -> Callable[Parameters, Awaitable[Result]]:
    """
    Let the step skip Prefect's task engine inside a bulk run; everywhere else it is the task that it was.

    A task run costs Prefect ten times what the ledger takes for the step. In bulk the ledger alone decides; an order that needs patience is
    parked, and its own run, with all retries, takes it up.
    """

    @wraps(step.fn)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return await (step.fn if _in_bulk.get() else step)(*args, **kwargs)

    return run


@contextmanager
def in_bulk() -> Iterator[None]:
    """Make the steps in the block, and in what it starts, go straight to the ledger."""
    token = _in_bulk.set(True)
    try:
        yield
    finally:
        _in_bulk.reset(token)


async def each(order_ids: list[str], process: Callable[[str], Awaitable[OrderOutcome]], *, at_once: int) -> BulkResult:
    """
    Process every order once, ``at_once`` side by side, and return the counts; the outcomes are in the run's table artifact.

    An order that raises does not hold up the others: it stands in the table with its error, and comes due again by itself.
    """
    begun = time.monotonic()
    outcomes: list[OrderOutcome] = []
    waiting = iter(dict.fromkeys(order_ids))
    total = len(set(order_ids))

    async def worker() -> None:
        for order_id in waiting:
            try:
                outcomes.append(await process(order_id))
            except Exception as error:  # noqa: BLE001 - one order's bug is not the others'
                get_run_logger().exception("order %s failed", order_id)
                outcomes.append(OrderOutcome(order_id=order_id, status="failed", message=f"{type(error).__name__}", well=False))

    artifact = await acreate_progress_artifact(progress=0, description=f"0 of {total} orders")
    telling = asyncio.create_task(_tell(artifact, outcomes, total))
    try:
        with in_bulk():
            await asyncio.gather(*(worker() for _ in range(at_once)))
    finally:
        telling.cancel()
    await aupdate_progress_artifact(artifact, progress=100, description=f"{len(outcomes)} of {total} orders")
    await _table(outcomes)
    return BulkResult(orders=total, by_status=dict(Counter(o.status for o in outcomes)), seconds=round(time.monotonic() - begun, 2))


async def _tell(artifact: Any, outcomes: list[OrderOutcome], total: int) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        progress = 100 * len(outcomes) / max(total, 1)
        await aupdate_progress_artifact(artifact, progress=progress, description=f"{len(outcomes)} of {total} orders")


async def _table(outcomes: list[OrderOutcome]) -> None:
    rows = sorted(outcomes, key=lambda outcome: outcome.well)[:ROWS]
    table = [{"order": row.order_id, "status": row.status, "message": row.message} for row in rows]
    await acreate_table_artifact(table=table, key="orders-of-this-run", description=f"What came of {len(outcomes)} orders.")
