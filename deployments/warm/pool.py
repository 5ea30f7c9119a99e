"""
The kind of worker `hub-warm`, as Prefect finds it: ``prefect worker start --pool hub --type hub-warm``.

Its runs execute in its own event loop, many at a time; flows are loaded once, connections are shared. What that costs and what bounds it
stands in docs/decisions/.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import anyio.abc
import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.logging import get_logger
from prefect.logging.handlers import APILogHandler
from prefect.settings import get_current_settings
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.warm.clearing import clear_the_dead
from deployments.warm.engine import Ending
from deployments.warm.guard import Guard
from deployments.warm.hands import Hands
from deployments.warm.news import News
from deployments.warm.seeking import Seeker
from deployments.warm.settings import WorkerSettings

log = get_logger("hub_warm")
CLEARING_SECONDS = 30.0
HANDING_BACK_SECONDS = 5.0
FLUSH_SECONDS = 2.0


class WarmResult(BaseWorkerResult):
    """That a run is over; how it ended is its state."""


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, WarmResult]):
    """Runs flows in its own event loop. Job variables of other kinds of workers are accepted, and mean nothing here."""

    type = "hub-warm"
    job_configuration = BaseJobConfiguration
    job_configuration_variables = BaseVariables
    _description = "Runs flows in the worker's own event loop, many at a time, loaded once from their module entrypoints."
    _hands: Hands

    async def start(self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print) -> None:
        """
        Work until SIGTERM or SIGINT, in an event loop of its own; must be called in the main thread.

        Raises:
            SystemExit: The process shall be started again, e.g. because it has grown too big.
        """
        del with_healthcheck  # the command that starts a worker serves it itself
        settings = WorkerSettings()
        if self._limit is not None:
            settings = settings.model_copy(update={"limit": self._limit})
        guard = Guard(settings)
        code = guard.watch(lambda: self._work(guard, settings, run_once=run_once, printer=printer))
        printer(f"Worker {self.name!r} stopped!")
        if code:
            raise SystemExit(code)

    async def run(
        self, flow_run: FlowRun, configuration: BaseJobConfiguration, task_status: anyio.abc.TaskStatus[int] | None = None
    ) -> WarmResult:
        """See one run through."""
        del configuration
        task = self._hands.take(flow_run)
        if task_status is not None:
            task_status.started(self._hands.holder.pid)
        await task
        return WarmResult(identifier=str(flow_run.id), status_code=0)

    async def _setup_cancellation_observer(self) -> None:
        """Nothing: the stock observer is about runs that have not started, ours (`News`) about all."""

    async def _work(self, guard: Guard, settings: WorkerSettings, *, run_once: bool, printer: Callable[..., None]) -> None:
        async with AsyncClientContext.get_or_create():
            with SyncClientContext.get_or_create():
                async with self:
                    self._hands = Hands(self.client, self.name, settings)
                    seeker = Seeker(self.client, self._work_pool_name, self._work_queues, self._hands, settings)
                    seeker.looked = self._has_looked
                    await self._forgivingly(self._clear_the_dead)
                    self._started_event = await self._emit_worker_started_event()
                    printer(f"Worker {self.name!r} started!")
                    if run_once:
                        await seeker.look()
                        await self._hands.over_within(float("inf"))
                    else:
                        await self._work_until_stopped(guard, seeker)
                await _flush()

    async def _work_until_stopped(self, guard: Guard, seeker: Seeker) -> None:
        news = News(self.client, self._hands.news.set, lambda run_id: self._hands.end(run_id, Ending.CANCELLED))
        async with asyncio.TaskGroup() as services:
            always = [
                services.create_task(news.ask(self._hands.ids), name="ask for cancelled runs"),
                services.create_task(news.listen(self._pool_id, self._hands.ids), name="listen to events"),
                services.create_task(self._every(self.heartbeat_interval_seconds, self.sync_with_backend), name="worker heartbeat"),
                services.create_task(self._beat_for_runs(), name="flow run heartbeats"),
            ]
            seeking = [
                services.create_task(seeker.seek(), name="look for work"),
                services.create_task(self._every(CLEARING_SECONDS, self._clear_the_dead), name="clear the dead"),
                services.create_task(self._load_ahead(), name="load flows ahead"),
            ]
            await guard.stopping.wait()
            for service in seeking:
                service.cancel()
            await self._finish(guard)
            for service in always:
                service.cancel()

    async def _finish(self, guard: Guard) -> None:
        """No run is in hand any more: finished, or handed back."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while not await self._hands.over_within(0.1) and clock() - began < guard.patience_seconds:
            pass
        for run_id in self._hands.ids():
            self._hands.end(run_id, Ending.HANDED_BACK)
        await self._hands.over_within(HANDING_BACK_SECONDS)

    async def _clear_the_dead(self) -> None:
        await clear_the_dead(self.client, self._work_pool_name, self._hands.holder, self._hands.had)

    async def _load_ahead(self) -> None:
        """Load flows before their first run; more often at first, because deployments are often made while workers start."""
        for seconds in (0, 1, 2, 4, 8, 15):
            await asyncio.sleep(seconds)
            await self._forgivingly(lambda: self._hands.flows.load_ahead(self.client, self._work_pool_name))

    async def _beat_for_runs(self) -> None:
        while (seconds := get_current_settings().flows.heartbeat_frequency) is not None:
            await asyncio.sleep(seconds)
            self._hands.beat()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._forgivingly(work)

    async def _forgivingly(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Await ``work``; neither a server that is away for a moment nor a bug in one service ends the runs in hand."""
        try:
            await work()
        except (httpx.HTTPError, OSError) as failure:
            log.warning("Prefect's server could not be asked: %s: %s", type(failure).__name__, failure)
        except Exception:
            log.exception("a service of the worker failed; trying again")

    def _pool_id(self) -> str | None:
        return None if self._work_pool is None else str(self._work_pool.id)

    def _has_looked(self) -> None:
        self._last_polled_time = datetime.now(UTC)


async def _flush() -> None:
    """The last logs and events are on their way, if the server takes them soon."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await APILogHandler.aflush()
            await asyncio.to_thread(EventsWorker.drain_all, FLUSH_SECONDS)
