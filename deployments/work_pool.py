"""Makes the work pool `hub`: of the kind that the stack's worker is, with a queue for orders and one for the janitor."""

from __future__ import annotations

from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import StateType, WorkPool, WorkQueue
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.states import Cancelled, Crashed
from prefect.workers.process import ProcessWorker

from deployments.layout import JANITOR_QUEUE, POOL, QUEUE
from deployments.warm.pool import WarmWorker
from deployments.warm.settings import WARM

ENGINE = "python -m prefect.engine"
JANITOR_PRIORITY, PRIORITY = 1, 2
PAGE = 200
BEGUN, WAITING = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING], [StateType.SCHEDULED]


async def make_pool(client: PrefectClient, worker_type: str) -> None:
    """
    The work pool exists and is of ``worker_type``, with a queue for orders, and one for the janitor that comes first and has no limit.

    A pool cannot change its kind. One of another kind is made anew with the limits that people have set; its runs, which no worker would
    find any more, end, and what is due is started again by the sweep. The deployments have to be applied afterwards.
    """
    template = _template(worker_type)
    kept: list[WorkQueue] = []
    try:
        pool = await client.read_work_pool(POOL)
    except ObjectNotFound:
        pool = None
    if pool is not None and pool.type != worker_type:
        kept = await client.read_work_queues(work_pool_name=POOL)
        await _end_runs(client, f"the work pool {POOL} is of type {worker_type} now, and no longer {pool.type}")
        await client.delete_work_pool(POOL)
    await _make(client, worker_type, template, pool)
    for name, priority in ((JANITOR_QUEUE, JANITOR_PRIORITY), (QUEUE, PRIORITY)):
        await _make_queue(client, name, priority, next((queue for queue in kept if queue.name == name), None))


def _template(worker_type: str) -> dict[str, Any]:
    """
    What the pool asks of a deployment.

    For the process worker the command is named because without one it resolves the flow's workspace in one more Python before the run.
    """
    if worker_type == WARM:
        return WarmWorker.get_default_base_job_template()
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = ENGINE
    return template


async def _make(client: PrefectClient, worker_type: str, template: dict[str, Any], like: WorkPool | None) -> None:
    try:
        await client.create_work_pool(
            WorkPoolCreate(
                name=POOL,
                type=worker_type,
                base_job_template=template,
                is_paused=like.is_paused if like is not None else False,
                concurrency_limit=like.concurrency_limit if like is not None else None,
            )
        )
    except ObjectAlreadyExists:
        await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


async def _make_queue(client: PrefectClient, name: str, priority: int, like: WorkQueue | None) -> None:
    try:
        queue = await client.read_work_queue_by_name(name, work_pool_name=POOL)
    except ObjectNotFound:
        queue = await client.create_work_queue(name, work_pool_name=POOL, priority=priority)
    if queue.priority != priority:
        await client.update_work_queue(queue.id, priority=priority)
    if like is not None:
        await client.update_work_queue(queue.id, concurrency_limit=like.concurrency_limit, is_paused=like.is_paused)


async def _end_runs(client: PrefectClient, why: str) -> None:
    """No run of the pool is under way or waits. Call it while no worker takes any."""
    for types, state in ((BEGUN, Crashed), (WAITING, Cancelled)):
        unfinished = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)))
        of_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
        while runs := await client.read_flow_runs(flow_run_filter=unfinished, work_pool_filter=of_pool, limit=PAGE):
            for run in runs:
                await client.set_flow_run_state(run.id, state(message=f"Ended: {why}."), force=True)
