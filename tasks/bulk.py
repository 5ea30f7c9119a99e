"""Many subjects in one run: side by side up to a limit, each straight to the ledger, with progress and a table of what came of them."""

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
"""The table artifact shows at most so many subjects, those that did not go well first."""

_in_bulk: ContextVar[bool] = ContextVar("in_bulk", default=False)


class ItemOutcome(Frozen):
    """What came of one subject; ``well`` when nothing has to be looked at."""

    id: str
    status: str
    message: str
    well: bool


class BulkResult(Frozen):
    """What came of many subjects: how many by status, and how long it took."""

    total: int
    by_status: dict[str, int]
    seconds: float


def straight(step: Task[Parameters, Coroutine[Any, Any, Result]]) -> Callable[Parameters, Awaitable[Result]]:
    """
    Let the step skip Prefect's task engine inside a bulk run; everywhere else it is the task that it was.

    A task run costs Prefect ten times what the ledger takes for the step. In bulk the ledger alone decides; what needs patience is
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


async def each(subject_ids: list[str], process: Callable[[str], Awaitable[ItemOutcome]], *, at_once: int, of: str) -> BulkResult:
    """
    Process every subject once, ``at_once`` side by side, and return the counts; the outcomes are in the run's table artifact.

    One that raises does not hold up the others: it stands in the table with its error, and comes due again by itself. ``of`` is what people
    call such a subject, e.g. ``order``.
    """
    begun = time.monotonic()
    outcomes: list[ItemOutcome] = []
    waiting = iter(dict.fromkeys(subject_ids))
    total = len(set(subject_ids))

    def so_far() -> dict[str, Any]:
        return {"progress": 100 * len(outcomes) / max(total, 1), "description": f"{len(outcomes)} of {total} {of}s"}

    async def worker() -> None:
        for subject_id in waiting:
            try:
                outcomes.append(await process(subject_id))
            except Exception as error:  # noqa: BLE001 - one subject's bug is not the others'
                get_run_logger().exception("%s %s failed", of, subject_id)
                outcomes.append(ItemOutcome(id=subject_id, status="failed", message=f"{type(error).__name__}", well=False))

    artifact = await acreate_progress_artifact(**so_far())
    telling = asyncio.create_task(_tell(artifact, so_far))
    try:
        with in_bulk():
            await asyncio.gather(*(worker() for _ in range(at_once)))
    finally:
        telling.cancel()
    await aupdate_progress_artifact(artifact, **(so_far() | {"progress": 100}))
    await _table(outcomes, of)
    return BulkResult(total=total, by_status=dict(Counter(o.status for o in outcomes)), seconds=round(time.monotonic() - begun, 2))


async def _tell(artifact: Any, so_far: Callable[[], dict[str, Any]]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        await aupdate_progress_artifact(artifact, **so_far())


async def _table(outcomes: list[ItemOutcome], of: str) -> None:
    rows = sorted(outcomes, key=lambda outcome: outcome.well)[:ROWS]
    table = [{of: row.id, "status": row.status, "message": row.message} for row in rows]
    await acreate_table_artifact(table=table, key=f"{of}s-of-this-run", description=f"What came of {len(outcomes)} {of}s.")
