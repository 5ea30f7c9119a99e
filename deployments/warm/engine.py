"""
Prefect's flow engine for many runs in one event loop.

The stock engine is made for one run per process: for every run of a deployment it starts a thread that sends heartbeats, and one more
with an event loop, a web socket and an HTTP client that watches for a suspension; the loop waits for that thread to be connected (40 ms
here) and to be gone. The worker does both for all of its runs together. And the engine learns here why its run is cancelled.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from prefect._flow_run_suspension import FlowRunSuspensionRequest, register_flow_run_suspension_request
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.results import ResultStore
from prefect.states import AwaitingRetry

from deployments.warm.saying import BegunRun, RunClient

IN_PROCESS = "in_process"
"""Retry type, in a run's policy, of one whose retry is the business of the process that runs it."""
SERVER_AWAY_WAITS_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)


class Ending(enum.Enum):
    """Why the worker ends a run that is under way."""

    CANCELLED = "a person cancelled it"
    HANDED_BACK = "the worker stops, and another one goes on with it"


@dataclass
class WarmEngine(AsyncFlowRunEngine[..., Any]):
    """
    One run in the worker's event loop.

    Set ``ending`` before cancelling the task that runs it. ``holder`` is who holds the run; the server knows it before the run counts as
    Running.
    """

    ending: Ending | None = None
    holder: str = ""
    _teller: RunClient | None = None

    @property
    def client(self) -> PrefectClient:
        """Prefect's client, which sends together what the engine says of its run."""
        if self._teller is None:
            self._teller = RunClient(super().client, infrastructure_pid=self.holder)
        return self._teller

    @asynccontextmanager
    async def setup_run_context(self, client: PrefectClient | None = None) -> AsyncGenerator[None, None]:
        """Set the context up for one try of the run; the first one follows the server's answer, and needs no second."""
        if self.flow_run is not None and not self.flow_run.run_count and self.state.is_running():
            client = BegunRun(self.client, self.flow_run, self.state)
        async with super().setup_run_context(client):
            yield

    @property
    def heartbeat_seconds(self) -> int | None:
        """None: the worker sends the heartbeats of all runs."""
        return None

    @contextmanager
    def setup_flow_run_suspension_request(self) -> Generator[FlowRunSuspensionRequest, None, None]:
        """Let the worker, which hears of suspensions, reach this run."""
        if self.flow_run is None:
            raise RuntimeError("the engine has not begun")
        request = self._get_flow_run_suspension_request()
        with register_flow_run_suspension_request(self.flow_run.id, request):
            request.raise_if_requested()
            yield request

    def beat(self) -> None:
        """Send the run's heartbeat, from its first state to its last."""
        if self._is_started and not self.has_reported():
            self._emit_flow_run_heartbeat()

    def has_reported(self) -> bool:
        """Tell whether the server knows how this run ended, or that it goes on elsewhere."""
        state = None if self.flow_run is None else self.flow_run.state
        return state is not None and (state.is_final() or state.is_scheduled() or state.is_paused())

    async def set_state(self, state: State[Any], force: bool = False) -> State[Any]:
        """Propose ``state`` to the server, and return the one that it wants; a server that is away for a moment is waited for."""
        for wait_seconds in SERVER_AWAY_WAITS_SECONDS:
            try:
                return await super().set_state(state, force=force)
            except httpx.TransportError as failure:
                self.logger.warning(
                    "The server does not answer (%s); telling it again that this run is %s", type(failure).__name__, state.name
                )
                await asyncio.sleep(wait_seconds)
        return await super().set_state(state, force=force)

    async def handle_crash(self, exc: BaseException) -> None:
        """Report the end that the worker wanted; anything else is a crash."""
        match self.ending:
            case Ending.CANCELLED:
                await self.handle_cancellation(exc)
            case Ending.HANDED_BACK:
                with anyio.CancelScope(shield=True):
                    self.logger.info("Handed back: %s", self.ending.value)
                    await self._forget_the_retry_in_this_process()
                    await self.set_state(AwaitingRetry(message=f"Handed back: {self.ending.value}."))
                    self._raised = exc  # type: ignore[assignment]  # as the stock engine does with what is no Exception
            case None:
                await super().handle_crash(exc)

    async def _forget_the_retry_in_this_process(self) -> None:
        """Let workers find the run: the server hides one that once was retried by its process, which would go on with it."""
        if self.flow_run is None:
            return
        policy = (await self.client.read_flow_run(self.flow_run.id)).empirical_policy  # ours is older than the last failure
        if policy.retry_type == IN_PROCESS:
            policy.retry_type = None
            await self.client.update_flow_run(self.flow_run.id, empirical_policy=policy)

    async def handle_exception(self, exc: Exception, msg: str | None = None, result_store: ResultStore | None = None) -> State[Any]:
        """A flow that answers its cancellation with an exception of its own was still cancelled."""
        if self.ending is None:
            return await super().handle_exception(exc, msg, result_store)
        await self.handle_crash(exc)
        return self.state
