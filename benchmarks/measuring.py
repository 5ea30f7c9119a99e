"""One measurement of each kind: one order at a time, many at once, one bulk run, and the floor of all of them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from benchmarks import floor
from benchmarks.doors import Doors
from benchmarks.plan import Plan
from benchmarks.results import BULK, FLOOR, FLOOR_BULK, GATEWAY, Many, Memory, Results, Single
from benchmarks.usage import cpu_seconds, memory_mb, used_since
from deployments import secret_files
from deployments.examples import EXAMPLE_ORDER
from deployments.layout import PROJECT
from deployments.stack import Stack
from deployments.supervisor import Say

FLOOR_SINGLES = 3
FLOOR_AT_ONCE = 50
BULK_AT_ONCE = 25  # what process_orders takes by itself
POSTS_AT_ONCE = 10
FOUR_EFFECTS = {"stripe.charge": 1, "shippo.label": 1, "sendgrid.mail": 1, "slack.message": 1}
LAST_BATCHES_SECONDS = 1.5  # Prefect's server writes task runs and events up to a second late


def is_complete(effects: Counter[str]) -> bool:
    """Whether the providers did everything of an order, exactly once."""
    return {kind: effects[kind] for kind in FOUR_EFFECTS} == FOUR_EFFECTS


@dataclass
class Measuring:
    """A running stack, what was measured on it so far, and how many of the hub's orders that took."""

    stack: Stack
    doors: Doors
    plan: Plan
    results: Results
    say: Say
    _names: count[int] = field(default_factory=count)

    async def one_by_call(self, who: str, latency: str, deployment: str, job_variables: dict[str, str] | None = None) -> None:
        """API call → the run is over, with the whole order in its parameters."""
        order_id = f"one-{next(self._names)}"
        began = time.monotonic()
        run_id = await self.doors.start(deployment, {"order_id": order_id, "order": EXAMPLE_ORDER}, job_variables)
        state = await self.doors.until_over(run_id, self.plan.limit_seconds)
        self._single(who, latency, time.monotonic() - began, well=state == "Confirmed")

    async def one_by_gateway(self, latency: str) -> None:
        """``PUT`` → the gateway shows the order as confirmed."""
        order_id = f"one-{next(self._names)}"
        began = time.monotonic()
        await self.doors.put(order_id)
        confirmed = await self.doors.until_confirmed(order_id, self.plan.limit_seconds)
        self._single(GATEWAY, latency, time.monotonic() - began, well=confirmed)

    async def floor_one_by_one(self, latency: str) -> None:
        """The bare program, one order after another."""
        outcome = await self._floor(FLOOR_SINGLES, at_once=1)
        self.results.singles += [Single(FLOOR, latency, round(seconds, 4), well=True) for seconds in outcome.each]

    async def burst(self, who: str, latency: str, deployment: str, orders: int, job_variables: dict[str, str] | None = None) -> None:
        """``orders`` API calls as fast as Prefect takes them → all runs are over."""
        await self.doors.set_latency(latency)
        name = f"burst-{next(self._names)}"
        whole = {} if who.startswith("empty") else {"order": EXAMPLE_ORDER}
        posting, run_ids = asyncio.Semaphore(POSTS_AT_ONCE), list[str]()

        async def call(number: int) -> str:
            async with posting:
                return await self.doors.start(deployment, {"order_id": f"{name}-{number}", **whole}, job_variables)

        async def work() -> None:
            run_ids.extend(await asyncio.gather(*(call(number) for number in range(orders))))
            await self.doors.until_all_over(run_ids, self.plan.limit_seconds)

        async def went_well() -> int:
            states = await self.doors.states_of(run_ids)
            well = states["Confirmed" if whole else "Completed"]
            if well < orders:
                self.results.news.append(f"{who} at {latency}: {dict(states)}")
                await self.doors.cancel(run_ids)
            return well

        await self._many(who, latency, orders, work, went_well)
        self.results.orders += orders if whole else 0

    async def bulk(self, latency: str) -> None:
        """One run of ``process-orders/hub`` over orders that were placed before: API call → the run is over."""
        await self.doors.set_latency(latency)
        name, orders = f"bulk-{next(self._names)}", self.plan.bulk
        await self.program("benchmarks.placing", name, str(orders))
        deployment = str((await self.doors.deployment("process-orders/hub"))["id"])
        order_ids = [f"{name}-{number}" for number in range(1, orders + 1)]

        async def work() -> None:
            run_id = await self.doors.start(deployment, {"order_ids": order_ids, "at_once": BULK_AT_ONCE})
            await self.doors.until_over(run_id, self.plan.limit_seconds)

        async def went_well() -> int:
            effects = await self.doors.effects_by_subject()
            well = sum(is_complete(effects[order_id]) for order_id in order_ids if order_id in effects)
            if well < orders:
                self.results.news.append(f"{BULK} at {latency}: {orders - well} orders were not confirmed")
            return well

        await self._many(BULK, latency, orders, work, went_well)
        self.results.orders += orders

    async def floor_burst(self, latency: str) -> None:
        """The bare program with as many orders as a burst, all that it can side by side."""
        await self._floor_many(FLOOR, latency, self.plan.burst, at_once=FLOOR_AT_ONCE)

    async def floor_bulk(self, latency: str) -> None:
        """The bare program with as many orders as a bulk run, as many side by side."""
        await self._floor_many(FLOOR_BULK, latency, self.plan.bulk, at_once=BULK_AT_ONCE)

    def remember_memory(self, after: str) -> None:
        """What every process occupies now."""
        mb = memory_mb(self.stack)
        self.results.memory.append(Memory(self.results.orders, after, mb))
        each = ", ".join(f"{who} {size:.0f}" for who, size in mb.items())
        self.say(f"  memory after {self.results.orders} orders: {sum(mb.values()):.0f} MB: {each}")

    def _single(self, who: str, latency: str, seconds: float, *, well: bool) -> None:
        self.results.singles.append(Single(who, latency, round(seconds, 4), well))
        self.results.orders += 1
        if not well:
            self.results.news.append(f"{who} at {latency}: an order did not end as it should")

    async def _many(
        self, who: str, latency: str, orders: int, work: Callable[[], Awaitable[None]], went_well: Callable[[], Awaitable[int]]
    ) -> None:
        before, began = cpu_seconds(self.stack), time.monotonic()
        await work()
        seconds = time.monotonic() - began
        await asyncio.sleep(LAST_BATCHES_SECONDS)
        cpu = used_since(before, self.stack)
        self._keep(Many(who, latency, orders, await went_well(), round(seconds, 2), cpu))

    async def _floor_many(self, who: str, latency: str, orders: int, *, at_once: int) -> None:
        await self.doors.set_latency(latency)
        before = cpu_seconds(self.stack)
        outcome = await self._floor(orders, at_once=at_once)
        cpu = {"sandbox": used_since(before, self.stack)["sandbox"], "the program": round(outcome.cpu_seconds, 3)}
        self._keep(Many(who, latency, orders, len(outcome.each), round(outcome.seconds, 2), cpu))

    def _keep(self, many: Many) -> None:
        self.results.many.append(many)
        self.say(f"  {many.who} at {many.latency}: {many.well}/{many.orders}, {many.rate:.2f} a second")

    async def _floor(self, orders: int, *, at_once: int) -> floor.Outcome:
        keys = secret_files.rehearsal_keys(self.stack.home)
        job = floor.Job(self.stack.layout.sandbox_url, keys, f"floor-{next(self._names)}", orders, at_once)
        return floor.Outcome(**json.loads(await self.program("benchmarks.floor", given=job.as_json())))

    async def program(self, module: str, *arguments: str, given: bytes = b"") -> bytes:
        """What a module prints that runs as a program of its own beside the stack, and ends with it."""
        pipe = asyncio.subprocess.PIPE
        environment = self.stack.layout.role_environment(self.stack.databases)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, env=environment, cwd=PROJECT
        )
        async with asyncio.timeout(self.plan.limit_seconds):
            said, _ = await process.communicate(given)
        if process.returncode != 0:
            raise RuntimeError(f"{module} ended with {process.returncode}")
        return said
