"""The course of a run: everything in one go on one stack, the contenders in turns, so that what else the machine does meets all alike."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import prefect

from benchmarks.doors import doors_of
from benchmarks.measuring import Measuring, is_complete
from benchmarks.plan import BULK_RUNS, IDLE, MANY, MEMORY, ONE, SCRAPES, START, STOCK_LATENCY, TROUBLE, WEBHOOKS, Plan
from benchmarks.results import HUB, NO_TASK, SIX_TASKS, STOCK, STOCK_NAMED, Results
from benchmarks.scrapes import measure_scrapes
from benchmarks.stock_worker import COMMAND_NAMED, stock_worker
from benchmarks.troubles import Troubles
from benchmarks.usage import busy_seconds, cpu_seconds, used_since
from benchmarks.webhooks import measure_webhooks
from deployments.layout import POOL, QUEUE
from deployments.stack import Stack, local_stack
from deployments.supervisor import Say

NO_SWEEP_SECONDS = 3600.0
IDLE_SECONDS = 10


async def run(plan: Plan, parts: Collection[str], say: Say) -> Results:
    """The ``parts`` are measured, and nothing of it runs any more."""
    began, busy_before = time.monotonic(), busy_seconds()
    results = Results(plan.name, _machine(), datetime.now(UTC).isoformat(timespec="seconds"))
    home = Path(tempfile.mkdtemp(prefix="hub-benchmark-"))
    try:
        if START in parts:
            async with _started(home, "on an empty folder", results, say):
                pass
        async with _started(home, "again", results, say) as stack, doors_of(stack) as doors:
            await doors.pause("sweep/hub")  # it would start the orders of a bulk run one by one
            await _measure(Measuring(stack, doors, plan, results, say), parts)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    results.took_seconds = round(time.monotonic() - began)
    busy, ours = (now - before for now, before in zip(busy_seconds(), busy_before, strict=True))
    share = max(0.0, busy - ours) / (results.took_seconds * (os.cpu_count() or 1))
    results.machine["used by other programs meanwhile"] = f"{share:.0%} of the cores"
    return results


async def _measure(measuring: Measuring, parts: Collection[str]) -> None:
    stack, doors, results = measuring.stack, measuring.doors, measuring.results
    ours = str((await doors.deployment("process-order/hub"))["id"])
    await measuring.one_by_call(HUB, "warm-up", ours)
    if IDLE in parts:
        await _idle(stack, results)
    measuring.remember_memory("at rest")
    if {ONE, MANY} & set(parts):
        began = time.monotonic()
        async with stock_worker(stack, doors) as theirs:
            results.starts["the stock worker alone"] = round(time.monotonic() - began, 1)
            if ONE in parts:
                await _one_at_a_time(measuring, ours, theirs)
                measuring.remember_memory("single orders")
            if MANY in parts:
                await _beside_each_other(measuring, ours, theirs)
    if MANY in parts:
        await _many_at_once(measuring, ours)
    if BULK_RUNS in parts:
        await _bulk_runs(measuring)
    if MEMORY in parts:
        await _many_orders(measuring, ours)
    if TROUBLE in parts:
        await Troubles(stack, doors, measuring.plan, results, measuring.say).all()
    if WEBHOOKS in parts:
        await measure_webhooks(measuring)
    if SCRAPES in parts:
        await measure_scrapes(measuring)
    results.effects = _counted(await doors.effects_by_subject())


async def _one_at_a_time(measuring: Measuring, ours: str, theirs: str) -> None:
    plan = measuring.plan
    for number in range(plan.rounds):
        for latency in plan.latencies:
            measuring.say(f"  one at a time, round {number + 1} of {plan.rounds}, latency {latency}")
            await measuring.doors.set_latency(latency)
            await measuring.one_by_call(HUB, latency, ours)
            await measuring.floor_one_by_one(latency)
            await measuring.one_by_gateway(latency)
            if number < (plan.stock_rounds if latency == "0" else plan.stock_rounds_elsewhere):
                await measuring.one_by_call(STOCK, latency, theirs)
                await measuring.one_by_call(STOCK_NAMED, latency, theirs, COMMAND_NAMED)


async def _beside_each_other(measuring: Measuring, ours: str, theirs: str) -> None:
    """The rates that are compared, ours in the middle."""
    plan = measuring.plan
    await measuring.burst(STOCK, STOCK_LATENCY, theirs, plan.stock_burst)
    await _burst(measuring, STOCK_LATENCY, ours)
    await measuring.burst(STOCK_NAMED, STOCK_LATENCY, theirs, plan.stock_burst // 2, COMMAND_NAMED)


async def _burst(measuring: Measuring, latency: str, ours: str) -> None:
    await measuring.floor_burst(latency)
    await measuring.burst(HUB, latency, ours, measuring.plan.burst)
    measuring.remember_memory(f"burst at {latency} ms")


async def _many_at_once(measuring: Measuring, ours: str) -> None:
    plan = measuring.plan
    for latency in plan.bursts:
        await _burst(measuring, latency, ours)
    for who, entrypoint in ((NO_TASK, "benchmarks.bare_flows.empty"), (SIX_TASKS, "benchmarks.bare_flows.six_tasks")):
        place = {"name": "hub", "entrypoint": entrypoint, "work_pool_name": POOL, "work_queue_name": QUEUE}
        deployment = await measuring.doors.deploy(entrypoint, enforce_parameter_schema=False, **place)
        await measuring.burst(who, "0", deployment, plan.burst)


async def _bulk_runs(measuring: Measuring) -> None:
    for latency in measuring.plan.bulks:
        await measuring.floor_bulk(latency)
        await measuring.bulk(latency)
        measuring.remember_memory(f"bulk run at {latency} ms")


async def _many_orders(measuring: Measuring, ours: str) -> None:
    """Until there were enough orders: runs of their own and bulk runs in turns, as memory is asked of both."""
    plan, turns = measuring.plan, cycle(("burst", "bulk run"))
    while measuring.results.orders < plan.orders_in_all:
        if (turn := next(turns)) == "burst":
            await measuring.burst(HUB, "0", ours, plan.burst)
        else:
            await measuring.bulk("0")
        measuring.remember_memory(f"one more {turn}")


async def _idle(stack: Stack, results: Results) -> None:
    before = cpu_seconds(stack)
    await asyncio.sleep(IDLE_SECONDS)
    results.idle_cpu = {role: round(seconds / IDLE_SECONDS, 4) for role, seconds in used_since(before, stack).items()}


def _counted(effects: dict[str, Counter[str]]) -> dict[str, int]:
    """Of the hub's orders: how many have exactly one of each effect, and how many have not."""
    ours = [kinds for subject, kinds in effects.items() if not subject.startswith("floor-")]
    exact = sum(map(is_complete, ours))
    return {"orders with one charge, label, mail and message": exact, "other orders": len(ours) - exact}


@asynccontextmanager
async def _started(home: Path, which: str, results: Results, say: Say) -> AsyncIterator[Stack]:
    """The stack of `hub up`, on free ports and with the warm worker; how long that took is in the results."""

    def heard(line: str) -> None:
        say(line)
        if line.startswith("!"):
            results.news.append(line.partition(", its log is")[0])

    began = time.monotonic()
    async with local_stack(home, free_ports=True, say=heard, sweep_seconds=NO_SWEEP_SECONDS) as stack:
        results.starts[which] = round(time.monotonic() - began, 1)
        yield stack


def _machine() -> dict[str, str]:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Prefect": prefect.__version__,
        "load before the run": load,
    }
