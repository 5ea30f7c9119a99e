"""Clears away the runs of warm workers that died, so that nobody has to: at a worker's start, and every half minute after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging import get_logger
from prefect.states import AwaitingRetry, Cancelled, Crashed

from deployments.warm.engine import IN_PROCESS
from deployments.warm.holder import Holder

log = get_logger("hub_warm")
PAGE = 200
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


async def clear_the_dead(client: PrefectClient, pool: str, me: Holder, had: Callable[[], set[UUID]]) -> int:
    """
    No run of the pool waits for a process that is gone; returns how many did.

    Crashed, if the run had begun; scheduled anew, if it had not; Cancelled, if somebody had asked for that. Runs of other living workers,
    of other kinds of workers and of machines that we cannot see are left alone. ``had`` says what this process has in hand, or had lately.
    """
    before, cleared = had(), 0
    for run in await _unfinished(client, pool):
        # The message of Pending comes first: the infrastructure pid may still be that of an earlier holder.
        holder = Holder.written_in(None if run.state is None else run.state.message, run.infrastructure_pid)
        lost = holder is not None and (run.id not in before | had() if holder == me else holder.is_gone())
        if holder is not None and lost and await _clear(client, run, holder):
            cleared += 1
    return cleared


async def _unfinished(client: PrefectClient, pool: str) -> list[FlowRun]:
    """Runs that some process should have in hand: under way, or waiting for their retry in that process."""
    under_way = await _all_in(client, pool, FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)))
    waiting = await _all_in(client, pool, FlowRunFilterState(name=FlowRunFilterStateName(any_=["AwaitingRetry"])))
    return under_way + [run for run in waiting if run.empirical_policy.retry_type == IN_PROCESS]


async def _all_in(client: PrefectClient, pool: str, state: FlowRunFilterState) -> list[FlowRun]:
    found: list[FlowRun] = []
    while len(found) % PAGE == 0:
        page = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=state),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            sort=FlowRunSort.ID_DESC,
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if not page:
            break
    return found


async def _clear(client: PrefectClient, run: FlowRun, holder: Holder) -> bool:
    now = await client.read_flow_run(run.id)
    if now.state is None or run.state is None or now.state.id != run.state.id:
        return False  # somebody was faster
    state = _end_of(now, holder)
    await client.set_flow_run_state(run.id, state, force=True)
    log.warning("flow run %s (%s) was held by process %s, which is gone: %s", run.name, run.id, holder.pid, state.name)
    return True


def _end_of(run: FlowRun, holder: Holder) -> State[Any]:
    why = f"worker process {holder.pid} ({holder}) is gone"
    if run.state is not None and run.state.is_cancelling():
        return Cancelled(message=f"Cancelled; {why}.")
    if run.start_time is None:
        return AwaitingRetry(message=f"Not begun; {why}.")
    return Crashed(message=f"The {why}.")
