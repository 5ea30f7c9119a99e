"""What happens when something goes wrong: a cancelled run, a killed worker, and flows that raise, block or leak."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types

from benchmarks.doors import Doors
from benchmarks.inbox import address_of
from benchmarks.measuring import is_complete
from benchmarks.plan import Plan
from benchmarks.results import Finding, Results
from benchmarks.usage import memory_mb
from deployments.examples import EXAMPLE_ORDER
from deployments.layout import POOL, QUEUE
from deployments.problems import Problem
from deployments.stack import Stack
from deployments.supervisor import Say
from deployments.warm.settings import WorkerSettings

CANCEL, KILL, RAISE, BLOCK, LEAK = "cancelled while it waits", "worker killed -9", "a flow raises", "a flow blocks", "a flow leaks"
SWEEP_SECONDS = 30.0  # as prefect.yaml has it; the benchmark has paused the schedule and sweeps by itself here
BESIDE_PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.05
BLOCK_SECONDS, LEAK_MB = 5.0, 500


class Troubles:
    """Makes trouble on a running stack, and notes what the others notice of it."""

    def __init__(self, stack: Stack, doors: Doors, plan: Plan, results: Results, say: Say) -> None:
        self._stack, self._doors, self._plan, self._results, self._say = stack, doors, plan, results, say
        self._names = count(1)

    async def all(self) -> None:
        """Every trouble was made, one after another."""
        await self._doors.set_latency("50")
        before = list(self._results.news)
        for trouble in (self.cancelled, self.killed, self.raising, self.blocking, self.leaking):
            await trouble()
        wanted = "! worker"  # it was killed, and replaced for its memory
        self._results.news[:] = [line for line in self._results.news if line in before or not line.startswith(wanted)]

    async def cancelled(self) -> None:
        """A run is cancelled while its provider has charged and does not answer; afterwards its order goes on."""
        cancelled, resumed = [], []
        for _ in range(self._plan.cancels):
            order_id = f"cancelled-{next(self._names)}"
            await self._doors.fault("stripe", "create payment", what="hang", when="after", times=1)
            run_id = await self._start(order_id)
            await self._doors.until_in_flight("stripe", "create payment", 1, self._plan.limit_seconds)
            began = time.monotonic()
            await self._doors.cancel([run_id])
            state = await self._doors.until_over(run_id, self._plan.limit_seconds)
            cancelled.append(time.monotonic() - began)
            if state != "Cancelled":
                self._results.news.append(f"{CANCEL}: a run ended as {state}")
            await self._doors.clear_faults()
            resumed.append(await self._until_confirmed_again(order_id))
        self._note(CANCEL, "from the wish to `Cancelled`, the longest (must be under 2)", max(cancelled), "s")
        self._note(CANCEL, "calls without a recorded end afterwards", await self._open_calls("cancelled-"), "")
        self._note(CANCEL, "from a person's resume to confirmed, the longest", max(resumed), "s")
        await self._note_effects(CANCEL, "cancelled-")

    async def killed(self) -> None:
        """The worker dies with many orders at a provider that has charged them and not answered."""
        orders = [f"killed-{number}" for number in range(self._plan.kill_orders)]
        await self._doors.fault("stripe", "create payment", what="hang", when="after", times=None)
        await asyncio.gather(*(self._start(order_id) for order_id in orders))
        await self._doors.until_in_flight("stripe", "create payment", len(orders), self._plan.limit_seconds)
        pid = self._stack.pid("worker")
        os.kill(pid, signal.SIGKILL)
        await self._doors.clear_faults()
        began = time.monotonic()
        await self._until(lambda: self._worker_is_another(pid))
        restarted = time.monotonic()
        sweeping = asyncio.create_task(self._sweep())
        confirmed = [await self._doors.until_confirmed(order_id, self._plan.limit_seconds) for order_id in orders]
        last = time.monotonic()
        sweeping.cancel()
        self._results.orders += len(orders)
        self._note(KILL, "orders in flight", len(orders), "")
        self._note(KILL, "orders confirmed afterwards (must be all)", sum(confirmed), "")
        self._note(KILL, "until the worker's process is there again", restarted - began, "s")
        lease = f"a lease of {self._stack.layout.given.lease_seconds:g} s has to run out first, and `sweep` comes every {SWEEP_SECONDS:g} s"
        self._note(KILL, f"from there to the last one confirmed ({lease})", last - restarted, "s")
        await self._note_effects(KILL, "killed-")

    async def raising(self) -> None:
        """Twenty runs of a flow that raises."""
        deployment = await self._deployed("raises")

        async def trouble() -> None:
            runs = await asyncio.gather(*(self._doors.start(deployment, {}) for _ in range(20)))
            await self._doors.until_all_over(runs, self._plan.limit_seconds)

        await self._beside(RAISE, "twenty runs of it", trouble)

    async def blocking(self) -> None:
        """A flow that blocks the event loop."""
        deployment = await self._deployed("blocks")

        async def trouble() -> None:
            await self._doors.until_over(await self._doors.start(deployment, {"seconds": BLOCK_SECONDS}), self._plan.limit_seconds)

        stall = f"{WorkerSettings().stall_seconds:g} s of it would end the worker"
        await self._beside(BLOCK, f"for {BLOCK_SECONDS:g} s; {stall}", trouble)

    async def leaking(self) -> None:
        """A flow that leaks, once and a second time, which is too much."""
        deployment = await self._deployed("leaks")

        async def once() -> None:
            await self._doors.until_over(await self._doors.start(deployment, {"megabytes": LEAK_MB}), self._plan.limit_seconds)

        async def until_replaced() -> None:
            pid = self._stack.pid("worker")
            await once()
            began = time.monotonic()
            await self._until(lambda: self._worker_is_another(pid))
            self._note(LEAK, "from its end to another worker process", time.monotonic() - began, "s")

        limit = f"HUB_WORKER_MEMORY_MB is {WorkerSettings().memory_mb}"
        await self._beside(LEAK, f"{LEAK_MB} MB; {limit}", once)
        self._note(LEAK, "the worker's memory then", memory_mb(self._stack)["worker"], "MB")
        await self._beside(LEAK, f"{LEAK_MB} MB more, so that the worker is replaced", until_replaced)
        self._note(LEAK, "the new worker's memory", memory_mb(self._stack)["worker"], "MB")

    async def _beside(self, trouble: str, what: str, make: Callable[[], Awaitable[None]]) -> None:
        """Orders come in all the while: how long the longest takes, and whether all are confirmed."""
        name, began, over = f"beside-{next(self._names)}", time.monotonic(), asyncio.Event()

        async def one(order_id: str) -> float:
            asked_at = time.monotonic()
            state = await self._doors.until_over(await self._start(order_id), self._plan.limit_seconds)
            if state != "Confirmed":
                self._results.news.append(f"{trouble}: an order beside it ended as {state}")
            return time.monotonic() - asked_at

        async def come_in() -> list[asyncio.Task[float]]:
            orders = list[asyncio.Task[float]]()
            while not over.is_set() or time.monotonic() - began < self._plan.beside_seconds:
                orders.append(asyncio.create_task(one(f"{name}-{len(orders)}")))
                await asyncio.sleep(BESIDE_PAUSE_SECONDS)
            return orders

        coming = asyncio.create_task(come_in())
        await asyncio.sleep(2 * BESIDE_PAUSE_SECONDS)
        await make()
        over.set()
        seconds = await asyncio.gather(*await coming)
        self._results.orders += len(seconds)
        self._note(trouble, f"{what}: the longest of {len(seconds)} orders beside it", max(seconds), "s")
        await self._note_effects(trouble, f"{name}-")

    async def _deployed(self, flow: str) -> str:
        place = {"name": "hub", "work_pool_name": POOL, "work_queue_name": QUEUE}
        return await self._doors.deploy(
            f"benchmark-{flow}", entrypoint=f"benchmarks.broken_flows.{flow}", enforce_parameter_schema=False, **place
        )

    async def _start(self, order_id: str) -> str:
        deployment = str((await self._doors.deployment("process-order/hub"))["id"])
        return await self._doors.start(deployment, {"order_id": order_id, "order": EXAMPLE_ORDER})

    async def _until_confirmed_again(self, order_id: str) -> float:
        """A person lets the order go on, as often as it is parked; returns how long it took."""
        began = time.monotonic()
        self._results.orders += 1
        while time.monotonic() - began < self._plan.limit_seconds:
            await self._doors.resume(order_id)
            if await self._doors.until_confirmed(order_id, 5):
                break
        return time.monotonic() - began

    async def _sweep(self) -> None:
        deployment = str((await self._doors.deployment("sweep/hub"))["id"])
        while True:
            await self._doors.start(deployment, {})
            await asyncio.sleep(SWEEP_SECONDS)

    async def _worker_is_another(self, pid: int) -> bool:
        try:
            now = self._stack.pid("worker")
        except Problem:
            return False
        return now != pid and psutil.pid_exists(now)

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + self._plan.limit_seconds
        while not await condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(LOOK_SECONDS)

    async def _open_calls(self, names: str) -> int:
        connection = await asyncpg.connect(**address_of(self._stack.databases.hub))
        try:
            return int(
                await connection.fetchval("SELECT count(*) FROM attempts WHERE ended_at IS NULL AND effect_key LIKE $1", f"order:{names}%")
            )
        finally:
            await connection.close()

    async def _note_effects(self, trouble: str, names: str) -> None:
        """How many of the orders have anything but one charge, label, mail and message."""
        effects: dict[str, Any] = await self._doors.effects_by_subject()
        wrong = sum(not is_complete(kinds) for subject, kinds in effects.items() if subject.startswith(names))
        self._note(trouble, "orders with an effect missing or twice (must be 0)", wrong, "")

    def _note(self, trouble: str, what: str, value: float, unit: str) -> None:
        self._results.findings.append(Finding(trouble, what, round(value, 2), unit))
        self._say(f"  {trouble}: {what}: {value:.4g} {unit}")
