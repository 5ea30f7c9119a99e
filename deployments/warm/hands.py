"""The runs that a warm worker has in hand: taken, run in this event loop, ended when asked to, and never lost without a word."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import anyio
import httpx
from anyio import CapacityLimiter
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort, ObjectNotFound, Pause
from prefect.flow_engine import run_flow
from prefect.logging import get_logger
from prefect.logging.loggers import PrefectLogAdapter, flow_run_logger
from prefect.states import AwaitingRetry, Cancelled, Crashed, Pending
from prefect.utilities.callables import get_call_parameters, parameters_to_args_kwargs
from prefect.utilities.engine import propose_state

from deployments.warm.engine import Ending, WarmEngine
from deployments.warm.holder import Holder
from deployments.warm.loading import AnyFlow, Flows, Unloadable
from deployments.warm.settings import WorkerSettings

log = get_logger("hub_warm")
DEPLOYMENT_SECONDS = 5.0
"""How long a deployment's entrypoint is remembered: after a new deploy the old one runs for that long at most."""
REPORT_WAITS_SECONDS = (0.2, 1, 2, 4, 8, 15)
"""Between the attempts to report the end of a run. What stays unreported is found by the clearing."""
INSIST_SECONDS = 5.0
JUST_ENDED_SECONDS = 60.0


@dataclass
class Hand:
    """One run in hand."""

    run: FlowRun
    janitor: bool
    task: asyncio.Task[None] | None = None
    engine: WarmEngine | None = None
    ending: Ending | None = None
    taken: bool = False
    """The server has given it to us. Before that, and when its answer got lost, it may be another worker's, and we say nothing about it."""

    def end(self, ending: Ending) -> None:
        """Cancel the run; the reason that came first counts."""
        if self.ending is None:
            self.ending = ending
        if self.engine is not None:
            self.engine.ending = self.ending
        if self.task is not None:
            self.task.cancel()


class Hands:
    """All runs of this process. ``news`` is set when one of them is over, or anything else may make room or work."""

    def __init__(self, client: PrefectClient, name: str, settings: WorkerSettings) -> None:
        self.holder = Holder.here()
        self.flows = Flows()
        self.news = asyncio.Event()
        self._client, self._name, self._settings = client, name, settings
        self._hands: dict[UUID, Hand] = {}
        self._just_ended: dict[UUID, float] = {}
        self._entrypoints: dict[UUID, tuple[float, str | None]] = {}
        self._threads = CapacityLimiter(settings.limit + settings.janitor_places)

    def places(self, *, janitor: bool) -> int:
        """How many more runs fit in; the janitor may use places that the others may not."""
        if janitor:
            return self._settings.limit + self._settings.janitor_places - len(self._hands)
        return min(self._settings.limit - sum(not hand.janitor for hand in self._hands.values()), self.places(janitor=True))

    def ids(self) -> set[UUID]:
        """Which runs are in hand."""
        return set(self._hands)

    def had(self) -> set[UUID]:
        """Which runs are in hand, or were a moment ago: what the server says of them may be older than that."""
        now = time.monotonic()
        self._just_ended = {run_id: at for run_id, at in self._just_ended.items() if now - at < JUST_ENDED_SECONDS}
        return self.ids() | set(self._just_ended)

    def take(self, run: FlowRun, *, janitor: bool = False) -> asyncio.Task[None]:
        """Begin with ``run``, unless it is in hand already; the task ends with it and never fails."""
        hand = self._hands.get(run.id)
        if hand is None or hand.task is None:
            hand = self._hands[run.id] = Hand(run, janitor)
            hand.task = asyncio.create_task(self._see_through(hand), name=f"flow run {run.name} ({run.id})")
        return hand.task

    def end(self, run_id: UUID, ending: Ending) -> None:
        """End a run that is in hand; insist while it does not stop."""
        hand = self._hands.get(run_id)
        if hand is None:
            return
        hand.end(ending)
        asyncio.get_running_loop().call_later(INSIST_SECONDS, self._insist, hand)

    def beat(self) -> None:
        """Send every run's heartbeat."""
        for hand in self._hands.values():
            if hand.engine is not None:
                hand.engine.beat()

    async def over_within(self, seconds: float) -> bool:
        """Tell whether all runs were over within ``seconds``."""
        tasks = [hand.task for hand in self._hands.values() if hand.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return not self._hands

    def _insist(self, hand: Hand) -> None:
        if self._hands.get(hand.run.id) is hand and hand.ending is not None:
            log.warning("flow run %s (%s) does not stop; cancelling it again", hand.run.name, hand.run.id)
            self.end(hand.run.id, hand.ending)

    async def _see_through(self, hand: Hand) -> None:
        logger = flow_run_logger(hand.run).getChild("worker")
        try:
            await self._take_and_run(hand, logger)
        except asyncio.CancelledError:
            if hand.ending is None:
                log.warning("flow run %s (%s) was cancelled by itself", hand.run.name, hand.run.id)
            await self._report(hand, _ended(hand))
        except (Abort, Pause) as over:
            logger.debug("%s", over or type(over).__name__)
        except Unloadable as failure:
            logger.exception("The flow cannot be loaded.")
            await self._report(hand, Crashed(message=str(failure)))
        except httpx.TransportError as failure:
            if hand.taken:
                logger.exception("Prefect's server does not answer.")
            await self._report(hand, Crashed(message=f"Prefect's server did not answer: {type(failure).__name__}."))
        except BaseException as failure:  # the end of one run is not the end of the others, not even with SystemExit
            logger.exception("The flow run ended unexpectedly.")
            await self._report(hand, Crashed(message=f"The flow run ended unexpectedly: {type(failure).__name__}: {failure}"))
        finally:
            del self._hands[hand.run.id]
            self._just_ended[hand.run.id] = time.monotonic()
            self.news.set()

    async def _take_and_run(self, hand: Hand, logger: PrefectLogAdapter) -> None:
        run = hand.run
        try:
            entrypoint = await self._entrypoint(run)
        except ObjectNotFound:
            hand.taken = True  # as far as anybody can
            await self._report(hand, Cancelled(message="Its deployment does not exist any more."))
            return
        taken = await propose_state(self._client, Pending(message=f"Taken by worker {self._name} ({self.holder})."), flow_run_id=run.id)
        if not taken.is_pending():
            logger.debug("not now: the server wants it to be %s", taken.name)
            return
        run.state, hand.taken = taken, True
        logger.info("Worker '%s' (process %s) runs it", self._name, self.holder.pid)
        flow = await self.flows.load(entrypoint)
        if flow.isasync:
            await self._run_here(hand, flow)
        else:
            await self._client.update_flow_run(run.id, infrastructure_pid=str(self.holder))
            await anyio.to_thread.run_sync(
                lambda: run_flow(flow, flow_run=run, return_type="state"), limiter=self._threads, abandon_on_cancel=True
            )

    async def _run_here(self, hand: Hand, flow: AnyFlow) -> None:
        args, kwargs = parameters_to_args_kwargs(flow.fn, hand.run.parameters)
        engine = hand.engine = WarmEngine(flow=flow, flow_run=hand.run, parameters=get_call_parameters(flow.fn, args, kwargs))
        engine.ending, engine.holder = hand.ending, str(self.holder)
        async with engine.start():
            while engine.is_running():
                async with engine.run_context():
                    await engine.call_flow_fn()  # type: ignore[unused-coroutine]  # Prefect annotates what the function returns before it is awaited

    async def _entrypoint(self, run: FlowRun) -> str | None:
        if run.deployment_id is None:
            return None
        read_at, entrypoint = self._entrypoints.get(run.deployment_id, (float("-inf"), None))
        if time.monotonic() - read_at > DEPLOYMENT_SECONDS:
            entrypoint = (await self._client.read_deployment(run.deployment_id)).entrypoint
            self._entrypoints[run.deployment_id] = (time.monotonic(), entrypoint)
        return entrypoint

    async def _report(self, hand: Hand, state: State[Any]) -> None:
        """The server knows how the run ended, unless the engine has said so already, or the server cannot be reached."""
        if not hand.taken or (hand.engine is not None and hand.engine.has_reported()):
            return
        for wait_seconds in REPORT_WAITS_SECONDS:
            try:
                now = await self._client.read_flow_run(hand.run.id)
                if now.state is not None and not now.state.is_final():
                    await self._client.set_flow_run_state(hand.run.id, state, force=True)
            except (httpx.HTTPError, OSError):
                await asyncio.sleep(wait_seconds)
            except ObjectNotFound:
                return
            else:
                return
        log.error("the server did not hear that flow run %s (%s) is %s", hand.run.name, hand.run.id, state.name)


def _ended(hand: Hand) -> State[Any]:
    match hand.ending:
        case Ending.CANCELLED:
            return Cancelled(message=f"Ended by the worker: {hand.ending.value}.")
        case Ending.HANDED_BACK:
            return AwaitingRetry(message=f"Handed back: {hand.ending.value}.")
        case None:
            return Crashed(message="The flow run cancelled itself.")
