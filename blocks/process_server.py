"""Prefect's server, as far as we ask it: start a run, find the dead ones and say that they are dead, take an event."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import Event
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed
from prefect.utilities.urls import url_for

from hub.kinds import KINDS
from hub.per_loop import per_loop

DEPLOYMENT_SECONDS = 30.0
"""How long a deployment's id is remembered."""
PAGE = 200
"""So many runs Prefect tells of at once."""
RUN_NAMES = {"order": "order", "signup": "sign-up"}
"""How the runs for a subject are called, before its id; ``flow_run_name`` of the processes."""
_deployments: dict[tuple[str, str], tuple[float, UUID]] = {}


async def connection() -> PrefectClient:
    """Return this event loop's client, closed with the loop: making one takes 50 ms in which the loop stands still."""
    return await per_loop("prefect", _connected)


@asynccontextmanager
async def _connected() -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


async def emit(event: str, *, resource: dict[str, str], **more: Any) -> None:
    """
    Prefect has the event about the resource. Over HTTP, because ``emit_event``, whose arguments these are, tells nobody when it fails.

    Raises:
        httpx.HTTPError: Prefect did not take it.
    """
    client = await connection()
    told = Event(event=event, resource=resource, occurred=datetime.now(UTC), **more)
    (await client.request("POST", "/events", json=[told.model_dump(mode="json")])).raise_for_status()


async def start_run(deployment: str, parameters: dict[str, Any], *, key: str, tags: tuple[str, ...] = ()) -> FlowRun:
    """
    Return the flow run that was started under ``key``, starting it if there is none. Parameters should be ids alone.

    Raises:
        ObjectNotFound: There is no such deployment.
        httpx.HTTPError: Prefect did not answer; the sweep starts what is due later.
    """
    client = await connection()
    place = (str(client.api_url), deployment)
    read_at, known = _deployments.get(place, (float("-inf"), None))
    if known is None or time.monotonic() - read_at > DEPLOYMENT_SECONDS:
        known = (await client.read_deployment_by_name(deployment)).id
        _deployments[place] = (time.monotonic(), known)
    try:
        return await client.create_flow_run_from_deployment(known, parameters=parameters, idempotency_key=key, tags=list(tags))
    except (ObjectNotFound, httpx.HTTPStatusError):
        _deployments.pop(place, None)  # it may have been deployed anew; who asks again is told the new one
        raise


async def start_subject_run(kind: str, subject_id: str, key: str) -> FlowRun:
    """Return the run that was started for the subject under ``key``, e.g. of ``process-order/hub``. Raises like ``start_run``."""
    process = KINDS[kind]
    return await start_run(f"{process.flow}/hub", {process.parameter: subject_id}, key=key, tags=(f"{kind}:{subject_id}",))


async def final_state(run_id: UUID) -> str | None:
    """Return the name of the state that the run has ended in; None as long as it goes on."""
    state = (await (await connection()).read_flow_run(run_id)).state
    return state.name if state is not None and state.is_final() else None


async def unfinished_runs(flow: str, *, older_than_seconds: float) -> list[FlowRun]:
    """Return the runs of ``flow`` that stand in Pending or Running for longer than that."""
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])), flow_run_filter=FlowRunFilter(state=states)
        )
    latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
    return [run for run in runs if run.state is not None and run.state.timestamp < latest]


async def delete_typed_runs(kind: str, subject_id: str) -> int:
    """
    Delete the runs for the subject in whose form a person has typed more than ids, and return how many.

    Raises:
        httpx.HTTPError: Prefect did not answer.
    """
    of_flow = FlowFilter(name=FlowFilterName(any_=[KINDS[kind].flow]))
    of_it = FlowRunFilter(name=FlowRunFilterName(any_=[f"{RUN_NAMES[kind]} {subject_id}"]))
    async with get_client() as client:
        typed: list[FlowRun] = []
        for offset in itertools.count(0, PAGE):
            page = await client.read_flow_runs(flow_filter=of_flow, flow_run_filter=of_it, limit=PAGE, offset=offset)
            typed += [run for run in page if isinstance(run.parameters.get(kind), dict)]
            if len(page) < PAGE:
                break
        for run in typed:
            await client.delete_flow_run(run.id)
    return len(typed)


async def mark_crashed(run_id: str, why: str) -> bool:
    """Set a run that no process works on any more to Crashed, which frees its place in its queue; False when it was over already."""
    async with get_client() as client:
        try:
            run = await client.read_flow_run(UUID(run_id))
        except ObjectNotFound:
            return False
        if run.state is not None and run.state.is_final():
            return False
        await client.set_flow_run_state(run.id, Crashed(message=why), force=True)
        return True


async def resume_waiting(run_id: str, answer: dict[str, Any]) -> bool:
    """Let a run that waits for a person's answer go on with this one; False when it does not wait yet, and may still come to that."""
    async with get_client() as client:
        try:
            run = await client.read_flow_run(UUID(run_id))
        except ObjectNotFound:
            return True
        if run.state is not None and run.state.is_paused():
            await client.resume_flow_run(run.id, run_input=answer)
            return True
        return run.state is not None and run.state.is_final()


def address_of_run(run_id: str) -> str | None:
    """Return where a person sees the run in Prefect's UI; None when nobody says where that is, or the run is not Prefect's."""
    try:
        return url_for("flow-run", obj_id=UUID(run_id))
    except ValueError:
        return None
