"""
Prefect's flow engine for many runs in one event loop.

The stock engine is made for one run per process: for every run of a deployment it starts a thread that sends heartbeats, and one more
with an event loop, a web socket and an HTTP client that watches for a suspension; the loop waits for that thread to be connected (40 ms
here) and to be gone. The worker does both for all of its runs together. And the engine learns here why its run is cancelled.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from prefect._flow_run_suspension import FlowRunSuspensionRequest, register_flow_run_suspension_request
from prefect.client.schemas.objects import State
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.results import ResultStore
from prefect.states import AwaitingRetry


class Ending(enum.Enum):
    """Why the worker ends a run that is under way."""

    CANCELLED = "a person cancelled it"
    HANDED_BACK = "the worker stops, and another one goes on with it"


@dataclass
class WarmEngine(AsyncFlowRunEngine[..., Any]):
    """One run in the worker's event loop. Set ``ending`` before cancelling the task that runs it."""

    ending: Ending | None = None

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

    async def handle_crash(self, exc: BaseException) -> None:
        """Report the end that the worker wanted; anything else is a crash."""
        match self.ending:
            case Ending.CANCELLED:
                await self.handle_cancellation(exc)
            case Ending.HANDED_BACK:
                with anyio.CancelScope(shield=True):
                    self.logger.info("Handed back: %s", self.ending.value)
                    await self.set_state(AwaitingRetry(message=f"Handed back: {self.ending.value}."))
                    self._raised = exc  # type: ignore[assignment]  # as the stock engine does with what is no Exception
            case None:
                await super().handle_crash(exc)

    async def handle_exception(
        self, exc: Exception, msg: str | None = None, result_store: ResultStore | None = None
    ) -> State[Any]:
        """A flow that answers its cancellation with an exception of its own was still cancelled."""
        if self.ending is None:
            return await super().handle_exception(exc, msg, result_store)
        await self.handle_crash(exc)
        return self.state
