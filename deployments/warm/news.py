"""
What a warm worker hears from Prefect's server about runs: new ones, and those to cancel or to suspend.

One web socket for the whole process says at once that something happened; what happened is then read from the server, because events
come late, twice and, after a reconnection, again. While the socket is down, and as a safety net, the server is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

import httpx
from prefect._flow_run_suspension import is_suspended_flow_run_state, mark_flow_run_suspension_requested
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_logger

log = get_logger("hub_warm")
SCHEDULED, CANCELLING, SUSPENDED = "prefect.flow-run.Scheduled", "prefect.flow-run.Cancelling", "prefect.flow-run.Suspended"
NEW = (SCHEDULED, "prefect.flow-run.AwaitingRetry", "prefect.flow-run.Resuming", "prefect.flow-run.Late")
RECONNECT_SECONDS = 1.0
ASK_SECONDS, ASK_SECONDS_WITHOUT_SOCKET = 5.0, 1.0


class News:
    """Hears of runs of one work pool. ``there_is_work`` and ``cancel`` are called in the event loop, sometimes in vain."""

    def __init__(self, client: PrefectClient, there_is_work: Callable[[], None], cancel: Callable[[UUID], None]) -> None:
        self._client, self._there_is_work, self._cancel = client, there_is_work, cancel
        self._connected = False
        self._asking: set[asyncio.Task[None]] = set()

    async def listen(self, pool_id: Callable[[], str | None], ours: Callable[[], Iterable[UUID]]) -> None:
        """Hear of events of the work pool for ever; ``ours`` says which runs matter here."""
        while True:
            about = EventFilter(
                event=EventNameFilter(name=[*NEW, CANCELLING, SUSPENDED]),
                any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{pool_id()}"]),
            )
            try:
                async with get_events_subscriber(filter=about, reconnection_attempts=0) as events:
                    self._connected = True
                    self._there_is_work()  # whatever was missed meanwhile
                    async for event in events:
                        self._hear(event, ours)
            except Exception as failure:  # noqa: BLE001 - Prefect raises bare Exceptions here; without events the worker asks more often
                log.debug("no events from the server: %s", failure)
            self._connected = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def ask(self, ours: Callable[[], Iterable[UUID]]) -> None:
        """Ask again and again, for ever, whether one of ``ours`` is to be cancelled or suspended."""
        while True:
            await asyncio.sleep(ASK_SECONDS if self._connected else ASK_SECONDS_WITHOUT_SOCKET)
            if waiting := list(ours()):
                await self._look_at(waiting)

    def _hear(self, event: Event, ours: Callable[[], Iterable[UUID]]) -> None:
        if event.event in NEW:
            self._there_is_work()
            return
        run_id = UUID(event.resource.id.removeprefix("prefect.flow-run."))
        if run_id in set(ours()):
            asking = asyncio.create_task(self._look_at([run_id]), name=f"{event.event} {run_id}")
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)

    async def _look_at(self, run_ids: list[UUID]) -> None:
        """Act on what the server says of these runs."""
        states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.PAUSED]))
        try:
            runs = await self._client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=run_ids), state=states))
        except (httpx.HTTPError, ObjectNotFound, OSError) as failure:
            log.debug("the server did not say who is to be cancelled: %s", failure)
            return
        for run in runs:
            self._act_on(run)

    def _act_on(self, run: FlowRun) -> None:
        if run.state is None:
            return
        if run.state.is_cancelling():
            self._cancel(run.id)
        elif is_suspended_flow_run_state(run.state):
            mark_flow_run_suspension_requested(run.id, run.state)
