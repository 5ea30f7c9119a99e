"""The warm worker: fast, many at a time, and as kind to people and to other runs as Prefect's own."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from deployments.processes import gone_within
from deployments.warm.settings import WorkerSettings
from tests.journeys.hub_under_test import CONFIRMED, Hub, until
from tests.journeys.warm_kit import Pool, a_pool, a_worker, span

pytestmark = pytest.mark.timeout(240)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(hub: Hub) -> AsyncIterator[Pool]:
    """A work pool with a warm worker that nobody stops."""
    pool = await a_pool(hub, "warm", "narrow")
    async with a_worker(pool):
        yield pool


async def test_news_of_a_run_ends_the_pause_between_two_looks_for_work(pool: Pool) -> None:
    """Not a measurement: without the news, a run would wait for half the pause of an idle worker on average."""
    waited = []
    for _ in range(5):
        run = await pool.until_state(await pool.start("rest"), "Completed")
        waited.append((span(run)[0] - datetime.fromisoformat(run["created"])).total_seconds())

    assert statistics.median(waited) < WorkerSettings.model_fields["idle_seconds"].default / 2


async def test_twenty_orders_at_once_are_confirmed_once_each(hub: Hub) -> None:
    orders = [f"o-crowd-{number}" for number in range(20)]
    await asyncio.gather(*(hub.place(order_id) for order_id in orders))

    for order_id in orders:
        await hub.until_status(order_id, "confirmed", seconds=60)
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * 20


async def test_a_cancelled_order_run_stops_at_once_with_nothing_unrecorded_and_the_order_goes_on(hub: Hub) -> None:
    await hub.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=6, match={"subject": "o-cancelled"})
    await hub.place("o-cancelled")
    await hub.sandbox.until_in_flight("stripe", "create payment", worked=True, seconds=30)
    run_id = await lease_owner(hub, "o-cancelled")

    asked_at = time.monotonic()
    await Pool(hub, "hub").set_state(run_id, type="CANCELLING", name="Cancelling")
    await Pool(hub, "hub").until_state(run_id, "Cancelled", seconds=5)
    took_seconds = time.monotonic() - asked_at

    async with hub.database() as database:
        open_attempts = await database.fetchval("SELECT count(*) FROM attempts WHERE ended_at IS NULL AND effect_key LIKE '%o-cancelled:%'")
        holder = await database.fetchval("SELECT lease_owner FROM orders WHERE id = 'o-cancelled'")
    print(f"cancelled after {took_seconds:.2f} s")  # noqa: T201 - the number that was promised
    assert (open_attempts, holder) == (0, None)
    await hub.until_status("o-cancelled", "confirmed", seconds=60)
    assert await hub.seen("o-cancelled") == CONFIRMED


async def test_orders_in_flight_survive_kill_9_of_the_worker(hub: Hub) -> None:
    """Twenty are placed; the worker dies when at least half of them are charged and wait for the answer."""
    orders = [f"o-killed-{number}" for number in range(20)]
    await hub.sandbox.fault("stripe", "create payment", "delay", when="after", times=None, seconds=4)
    await asyncio.gather(*(hub.place(order_id) for order_id in orders))
    await hub.sandbox.until_in_flight("stripe", "create payment", count=10, worked=True, seconds=60)
    await hub.kill_workers()
    await hub.sandbox.clear_faults()

    for order_id in orders:
        await hub.until_status(order_id, "confirmed", seconds=120)
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * 20


async def test_broken_flows_end_with_a_reason_and_hurt_nobody(pool: Pool) -> None:
    healthy = await pool.start("rest", seconds=2)
    missing, failing, leaving = await asyncio.gather(pool.start("tests.no_such_module.flow"), pool.start("fail"), pool.start("leave"))

    assert "No module named 'tests.no_such_module'" in (await pool.until_state(missing, "Crashed"))["state"]["message"]
    failed = await pool.until_state(failing, "Failed")
    assert "this flow fails" in failed["state"]["message"]
    assert failed["run_count"] == 2
    assert (await pool.until_state(leaving, "Crashed"))["state"]["message"]
    assert (await pool.until_state(healthy, "Completed"))["run_count"] == 1


async def test_a_person_answers_a_suspended_run_through_its_form(pool: Pool) -> None:
    run_id = await pool.start("ask_for_a_colour")
    await pool.until_state(run_id, "Suspended")

    answer = await pool.hub.prefect.post(f"/flow_runs/{run_id}/resume", json={"run_input": {"colour": "green"}})

    assert answer.json()["status"] == "ACCEPT"
    assert (await pool.until_state(run_id, "Completed"))["state"]["message"] == "the colour is green"


async def test_a_person_suspends_a_run_from_outside_and_resumes_it(pool: Pool) -> None:
    run_id = await pool.start("count", to=40)
    await pool.until_state(run_id, "Running")
    await pool.set_state(run_id, type="PAUSED", name="Suspended", state_details={"pause_reschedule": True})
    await pool.until_logged(run_id, "Finished in state Suspended")

    await pool.hub.prefect.post(f"/flow_runs/{run_id}/resume", json={})

    await pool.until_state(run_id, "Completed")


async def test_a_deployment_with_one_place_keeps_the_second_run_waiting(pool: Pool) -> None:
    first = await pool.start("rest", limit=1, seconds=3)
    await pool.until_state(first, "Running")
    second = await pool.start("rest", limit=1)

    await pool.until_state(second, "AwaitingConcurrencySlot")
    await pool.until_state(first, "Completed")


async def test_what_a_run_logs_stands_in_the_ui(pool: Pool) -> None:
    await pool.until_logged(await pool.start("rest"), "resting for 0.0 s")


async def test_a_queue_with_one_place_runs_one_at_a_time(pool: Pool) -> None:
    (await pool.hub.prefect.patch(f"/work_pools/{pool.name}/queues/narrow", json={"concurrency_limit": 1})).raise_for_status()
    runs = [await pool.start("rest", queue="narrow", seconds=0.5) for _ in range(3)]

    spans = sorted([span(await pool.until_state(run_id, "Completed")) for run_id in runs])
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans)), spans


async def test_a_synchronous_flow_runs_beside_the_others(pool: Pool) -> None:
    slow, quick = await pool.start("rest_in_a_thread", seconds=2), await pool.start("rest")

    assert span(await pool.until_state(quick, "Completed"))[1] < span(await pool.until_state(slow, "Completed"))[1]


async def test_the_janitor_finds_a_place_when_there_is_none(hub: Hub) -> None:
    pool = await a_pool(hub, "full", "janitor")
    async with a_worker(pool, HUB_WORKER_LIMIT="1"):
        first, second = await pool.start("rest", seconds=60), await pool.start("rest")
        await pool.until_state(first, "Running")
        rescuer = await pool.start("rest", queue="janitor")

        await pool.until_state(rescuer, "Completed")
        assert (await pool.run(second))["state"]["type"] == "SCHEDULED"
        await pool.set_state(first, type="CANCELLING", name="Cancelling")
        await pool.until_state(second, "Completed")


async def test_a_stopped_worker_finishes_what_is_short_and_hands_back_what_is_long(hub: Hub) -> None:
    pool = await a_pool(hub, "stopping")
    async with a_worker(pool, HUB_WORKER_STOP_SECONDS="2") as worker:
        short, long, retrying = [
            await pool.start("rest", seconds=1),
            await pool.start("rest", seconds=600),
            await pool.start("fail_patiently"),
        ]
        await pool.until_state(retrying, "AwaitingRetry")
        await pool.until_state(long, "Running")
        worker.process.send_signal(signal.SIGTERM)

        assert await worker.ends() == 0
    assert (await pool.run(short))["state"]["name"] == "Completed"
    assert [(await pool.run(run_id))["state"]["name"] for run_id in (long, retrying)] == ["AwaitingRetry"] * 2
    async with a_worker(pool):
        assert (await pool.until_state(retrying, "Failed"))["run_count"] == 2
        assert (await pool.until_state(long, "Running"))["run_count"] == 2


async def test_a_killed_worker_leaves_no_retry_behind_that_nobody_makes(hub: Hub) -> None:
    pool = await a_pool(hub, "retrying")
    async with a_worker(pool) as worker:
        retrying = await pool.start("fail_patiently")
        await pool.until_state(retrying, "AwaitingRetry")
        worker.process.kill()
        await worker.ends()
    async with a_worker(pool):
        assert "is gone" in (await pool.until_state(retrying, "Crashed"))["state"]["message"]


async def test_a_worker_that_has_grown_too_big_lets_others_finish_and_asks_to_be_replaced(hub: Hub) -> None:
    pool = await a_pool(hub, "big")
    async with a_worker(pool, HUB_WORKER_MEMORY_MB="500") as worker:
        neighbour = await pool.start("rest", seconds=3)
        await pool.until_state(neighbour, "Running")
        await pool.start("leak", megabytes=400)

        assert await worker.ends() == 75
    assert "more than HUB_WORKER_MEMORY_MB=500" in worker.said
    assert (await pool.run(neighbour))["state"]["name"] == "Completed"


async def test_a_flow_that_blocks_the_loop_is_named_and_the_others_only_wait(hub: Hub) -> None:
    pool = await a_pool(hub, "blocked")
    async with a_worker(pool) as worker:
        neighbour, blocking = await pool.start("rest", seconds=1), await pool.start("block", seconds=4)

        await worker.until_said("all runs wait: the event loop stands still, in flow run")
        await worker.until_said("time.sleep(seconds)")
        await asyncio.gather(pool.until_state(neighbour, "Completed"), pool.until_state(blocking, "Completed"))


async def test_a_worker_whose_loop_never_moves_again_is_replaced_and_its_runs_are_cleared(hub: Hub) -> None:
    pool = await a_pool(hub, "frozen")
    async with a_worker(pool, HUB_WORKER_STALL_SECONDS="2") as worker:
        blocking = await pool.start("block", seconds=100)

        assert await worker.ends() == 75
    async with a_worker(pool):
        assert "is gone" in (await pool.until_state(blocking, "Crashed"))["state"]["message"]


async def test_several_processes_share_a_pool_and_clear_up_after_each_other(hub: Hub) -> None:
    pool = await a_pool(hub, "several")
    async with a_worker(pool, "--name", "twin", "--processes", "2") as parent:
        await until(lambda: are_online(pool, "twin-1", "twin-2"), seconds=30, what=lambda: "two workers")
        begun = await pool.start("rest", seconds=100)
        pid = await pid_of_holder(pool, begun)
        assert pid in [child.pid for child in psutil.Process(parent.process.pid).children()]
        dead = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        assert await gone_within([dead], 5) == []

        await pool.until_state(begun, "Crashed", seconds=20)  # by the process that took the dead one's place
        parent.process.send_signal(signal.SIGTERM)
        assert await parent.ends() == 0


async def test_prefects_own_command_starts_a_warm_worker(hub: Hub) -> None:
    pool = await a_pool(hub, "by-command")
    run_id = await pool.start("rest")
    command = (str(Path(sys.executable).parent / "prefect"), "worker", "start", "--pool", pool.name, "--type", "hub-warm")
    async with a_worker(pool, command=command, PYTHONPATH=".") as worker:
        await pool.until_state(run_id, "Completed")
        worker.process.send_signal(signal.SIGTERM)

        assert await worker.ends() == 0


async def lease_owner(hub: Hub, order_id: str) -> str:
    async with hub.database() as database:
        return str(await database.fetchval("SELECT lease_owner FROM orders WHERE id = $1", order_id))


async def are_online(pool: Pool, *names: str) -> bool:
    workers: list[dict[str, Any]] = (await pool.hub.prefect.post(f"/work_pools/{pool.name}/workers/filter", json={})).json()
    return set(names) <= {worker["name"] for worker in workers}


async def pid_of_holder(pool: Pool, run_id: str) -> int:
    run = await pool.until_state(run_id, "Running")
    return int(run["infrastructure_pid"].split(":")[2])
