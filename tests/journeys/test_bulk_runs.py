"""Many orders in one run: a list of them or a query, what a person sees of it, and that stopping it half way costs nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deployments.layout import PROJECT
from tests.journeys.hub_under_test import CONFIRMED, Hub, until

pytestmark = pytest.mark.timeout(240)
BULK = "process-orders/hub"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_sweep(hub: Hub) -> AsyncIterator[None]:
    """Orders stay where they are unless a bulk run takes them: the sweep would start each in a run of its own."""
    async with hub.paused("sweep/hub"):
        yield


async def test_a_list_of_orders_is_processed_in_one_run_that_says_what_came_of_each(hub: Hub) -> None:
    orders = await placed(hub, "o-listed", 12)

    run = await hub.run({"order_ids": [*orders, "o-unheard-of", orders[0]], "at_once": 4}, deployment=BULK)

    assert run["state"]["name"] == "Completed"
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * 12
    progress, table = await artifacts(hub, run["id"])
    assert (progress["data"], progress["description"]) == (100, "13 of 13 orders")
    rows = json.loads(table["data"])
    assert rows[0] == {"order": "o-unheard-of", "status": "not found", "message": "there is no order o-unheard-of; place it first"}
    assert {row["order"]: row["status"] for row in rows[1:]} == dict.fromkeys(orders, "confirmed")


async def test_the_orders_of_a_bulk_run_take_no_task_runs(hub: Hub) -> None:
    """In bulk the ledger alone decides; that is what makes it fast."""
    orders = await placed(hub, "o-taskless", 2)

    run = await hub.run({"order_ids": orders}, deployment=BULK)

    body = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    assert (await hub.prefect.post("/task_runs/filter", json=body)).raise_for_status().json() == []
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * 2


async def test_what_is_parked_is_found_by_a_query_and_goes_on(hub: Hub) -> None:
    orders = await placed(hub, "o-waiting", 3)
    await hub.sandbox.fault("shippo", "create shipment", "status", status=500, times=None)
    first = await hub.run({"order_ids": orders}, deployment=BULK)
    parked = [await hub.order(order_id) for order_id in orders]
    await hub.sandbox.clear_faults()

    await hub.run({"which": "parked"}, deployment=BULK)

    assert {order["status"] for order in parked} == {"paid"}
    assert all(order["resumeAt"] for order in parked)
    _, table = await artifacts(hub, first["id"])
    assert all("shippo" in row["message"] for row in json.loads(table["data"]))
    assert [(await hub.order(order_id))["status"] for order_id in orders] == ["confirmed"] * 3
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * 3


async def test_a_bulk_run_that_dies_half_way_is_started_again_and_does_nothing_twice(hub: Hub) -> None:
    """When it is killed some orders are confirmed, some are charged and wait for the answer, and some were not begun."""
    orders = await placed(hub, "o-half-way", 24)
    run_id = await hub.start({"order_ids": orders, "at_once": 8}, deployment=BULK)

    async def some_are_confirmed() -> bool:
        return len([order_id for order_id in orders[:8] if (await hub.order(order_id))["status"] == "confirmed"]) >= 4

    await until(some_are_confirmed, seconds=60, what=lambda: "some orders of the bulk run to be confirmed")
    await hub.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=10, times=None)
    await hub.sandbox.until_in_flight("stripe", "create payment", count=4, worked=True, seconds=30)
    await hub.kill_workers()
    await hub.sandbox.clear_faults()
    done_before = Counter({order_id: sum((await hub.seen(order_id)).values()) for order_id in orders})
    dead = await hub.until_over(run_id, seconds=60)

    async def all_are_confirmed_after_another_run() -> bool:
        """An order whose charge is still under way at the provider is parked at first, and taken up by the next run."""
        again = await hub.run({"order_ids": orders, "at_once": 8}, deployment=BULK, seconds=120)
        assert again["state"]["name"] == "Completed"
        return {(await hub.order(order_id))["status"] for order_id in orders} == {"confirmed"}

    await until(all_are_confirmed_after_another_run, seconds=120, what=lambda: "all orders to be confirmed")

    assert dead["state"]["type"] == "CRASHED"
    assert 0 < sum(done_before.values()) < sum(CONFIRMED.values()) * len(orders)
    assert [await hub.seen(order_id) for order_id in orders] == [CONFIRMED] * len(orders)


async def placed(hub: Hub, name: str, count: int) -> list[str]:
    """Keep orders without starting a run for each, and return their ids."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.placing", name, str(count)), env=hub.stack.environment, cwd=PROJECT
    )
    assert await process.wait() == 0
    return [f"{name}-{number}" for number in range(1, count + 1)]


async def artifacts(hub: Hub, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the progress and the table that the run shows."""
    found = (await hub.prefect.post("/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [run_id]}}})).raise_for_status().json()
    by_type = {artifact["type"]: artifact for artifact in found}  # the run's result is one, too, without a type
    return by_type["progress"], by_type["table"]
