"""Processes die in the middle of an order; it ends confirmed by itself, and the providers counted everything once."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx
import pytest

from tests.journeys.hub_under_test import CONFIRMED, Hub, until
from tests.journeys.moments import Moment, held_at

pytestmark = pytest.mark.timeout(400)
RECOVERY_SECONDS = 120


async def test_orders_survive_kill_9_of_the_worker_and_of_what_holds_the_connection(hub: Hub) -> None:
    """(a) the charge is at the provider, (b) it is done and its answer has not come, (c) the label is bought and the mail not begun."""
    orders = ["o-at-provider", "o-unanswered", "o-labelled"]
    await hub.sandbox.fault("stripe", "create payment", "delay", seconds=20, match={"subject": orders[0]})
    await hub.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=20, match={"subject": orders[1]})
    async with held_at(hub, Moment("effects", f"NEW.subject_id = '{orders[2]}' AND NEW.step = 'mail'")) as waiting_for_the_mail:
        for order_id in orders:
            await hub.place(order_id)
        await hub.sandbox.until_in_flight("stripe", "create payment", worked=False, seconds=60)
        await hub.sandbox.until_in_flight("stripe", "create payment", worked=True, seconds=60)
        await until(waiting_for_the_mail, seconds=60, what=lambda: "the run to come to the mail")

        await hub.kill_workers()

    for order_id in orders:
        await hub.until_status(order_id, "confirmed", seconds=RECOVERY_SECONDS)
    assert {order_id: await hub.seen(order_id) for order_id in orders} == dict.fromkeys(orders, CONFIRMED)
    await until(lambda: dead_runs_are_crashed(hub, orders), seconds=30, what=lambda: "the dead runs to be Crashed")


async def test_an_order_survives_kill_9_of_the_prefect_server(hub: Hub) -> None:
    await hub.sandbox.fault("stripe", "create payment", "delay", seconds=2, match={"subject": "o-server"})
    await hub.place("o-server")
    await hub.sandbox.until_in_flight("stripe", "create payment", seconds=60)

    await hub.kill("prefect-server")

    await hub.until_status("o-server", "confirmed", seconds=RECOVERY_SECONDS)
    assert await hub.seen("o-server") == CONFIRMED
    await until(lambda: answers(hub), seconds=60, what=lambda: "the server to be back; the order did not wait for it")


async def test_an_order_survives_kill_9_although_only_one_may_run_at_a_time(hub: Hub) -> None:
    """The dead run holds the only place; the janitor has a queue of its own and frees it."""
    queue = "/work_pools/hub/queues/default"
    (await hub.prefect.patch(queue, json={"concurrency_limit": 1})).raise_for_status()
    try:
        await hub.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=20, match={"subject": "o-only-one"})
        await hub.place("o-only-one")
        await hub.sandbox.until_in_flight("stripe", "create payment", worked=True, seconds=60)
        await hub.kill_workers()

        await hub.until_status("o-only-one", "confirmed", seconds=RECOVERY_SECONDS)
    finally:
        (await hub.prefect.patch(queue, json={"concurrency_limit": None})).raise_for_status()
    assert await hub.seen("o-only-one") == CONFIRMED


async def test_an_order_taken_while_prefect_is_down_is_done_when_it_is_back(hub: Hub) -> None:
    server = hub.stack.pid("prefect-server")
    os.kill(server, signal.SIGSTOP)
    try:
        answer = await asyncio.wait_for(hub.place("o-outage"), 10)
    finally:
        os.kill(server, signal.SIGCONT)

    assert answer.status_code == 201
    await hub.until_status("o-outage", "confirmed", seconds=RECOVERY_SECONDS)
    assert await hub.seen("o-outage") == CONFIRMED


async def answers(hub: Hub) -> bool:
    try:
        return (await hub.prefect.get("/health")).is_success
    except httpx.TransportError:
        return False


async def dead_runs_are_crashed(hub: Hub, orders: list[str]) -> bool:
    async with hub.database() as database:
        dead = await database.fetch("SELECT run_id FROM runs WHERE subject_id = ANY($1) AND ended_as = 'died'", orders)
    body = {"flow_runs": {"id": {"any_": [row["run_id"] for row in dead]}}}
    states = [run["state"]["type"] for run in (await hub.prefect.post("/flow_runs/filter", json=body)).raise_for_status().json()]
    return len(states) == len(orders) and set(states) == {"CRASHED"}
