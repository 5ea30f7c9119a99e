"""A provider is down for longer than every run's patience while orders come in: they park, it is only probed, and then all go on."""

from __future__ import annotations

import pytest

from tests.journeys.hub_under_test import CONFIRMED, Hub, until

pytestmark = pytest.mark.timeout(240)


async def test_orders_park_while_stripe_is_down_and_each_is_confirmed_once_when_it_is_back(hub: Hub) -> None:
    orders = [f"o-outage-{number}" for number in range(25)]
    await hub.sandbox.fault("stripe", "create payment", "status", status=503, times=None)
    for order_id in orders:
        await hub.place(order_id)
    await until(lambda: closings(hub, at_least=1), seconds=60, what=lambda: "the gate to close")
    await until(lambda: all_wait(hub), seconds=60, what=lambda: "all orders to park")

    asked, probed = await requests(hub), await closed_so_often(hub)
    await until(lambda: closings(hub, at_least=probed + 1), seconds=90, what=lambda: "another probe")

    assert await requests(hub) - asked <= await closed_so_often(hub) - probed + 1, "nobody but a probe asks"
    await hub.sandbox.clear_faults()
    for order_id in orders:
        await hub.until_status(order_id, "confirmed", seconds=120)
    assert {order_id: await hub.seen(order_id) for order_id in orders} == dict.fromkeys(orders, CONFIRMED)
    assert await closed_so_often(hub) == 0, "the gate is open, and begins anew"


async def closings(hub: Hub, *, at_least: int) -> bool:
    return await closed_so_often(hub) >= at_least


async def closed_so_often(hub: Hub) -> int:
    async with hub.database() as database:
        return await database.fetchval("SELECT closings FROM provider_gates WHERE provider = 'stripe'") or 0


async def all_wait(hub: Hub) -> bool:
    async with hub.database() as database:
        return bool(
            await database.fetchval(
                "SELECT bool_and(lease_owner IS NULL AND message LIKE 'waits: stripe is closed%') FROM orders WHERE id LIKE 'o-outage-%'"
            )
        )


async def requests(hub: Hub) -> int:
    return len(await hub.sandbox.requests("stripe", "create payment"))
