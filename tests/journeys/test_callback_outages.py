"""
Webhooks come in while the automation, Prefect's server, the gateway or the worker is gone: each is answered, handled soon, and counts once.

The promise is 90 s from Prefect's return: three intervals of the real `sweep` (30 s). Here all of it is a sixth: a sweep every 5 s, and a
limit of 15 s, into which what does not shrink, such as a worker's start, has to fit all the same. The outage lasts longer than a sweep's
interval, as the minute of the promise does.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from deployments.webhook_secrets import SANDBOX_FILE
from tests.contract.signed_calls import as_json, custom_call
from tests.journeys.hub_under_test import SWEEP_SECONDS, Hub, until

OUTAGE_SECONDS, LIMIT_SECONDS = SWEEP_SECONDS + 2, 3 * SWEEP_SECONDS
PARCEL = ("packed", "picked_up", "delivered")
FACTS = Counter({"packed": 1, "picked up": 1, "delivered": 1})
AUTOMATION = "hub notices kept"
KEPT_OF_AN_AUTOMATION = ("name", "description", "enabled", "trigger", "actions", "actions_on_trigger", "actions_on_resolve", "tags")
LOCK = 4712
"""An advisory lock of the test's own: whoever is about to commit a fact of its order waits for it."""


async def test_without_the_automation_the_sweep_handles_what_was_kept(hub: Hub) -> None:
    await confirmed(hub, "o-no-automation")
    async with no_automation(hub):
        await hub.until_nobody_watches_the_inbox()
        runs_before = await hub.runs_of_handle_notices()

        assert [await told(hub, "o-no-automation", kind) for kind in PARCEL] == [202, 202, 202]

        await until(lambda: all_handled(hub), seconds=LIMIT_SECONDS, what=lambda: "the sweep")
        assert await hub.runs_of_handle_notices() == runs_before
    await each_counted_once(hub, "o-no-automation")


async def test_a_worker_that_dies_over_the_inbox_leaves_everything_to_the_next_one(hub: Hub) -> None:
    """The dead run's transaction never commits, so its batch is as if nobody had touched it."""
    await confirmed(hub, "o-worker")
    crashed_before = await hub.runs_of_handle_notices("CRASHED")
    async with facts_wait(hub, "o-worker") as somebody_waits:
        assert [await told(hub, "o-worker", kind) for kind in PARCEL] == [202, 202, 202]
        await until(somebody_waits, seconds=20, what=lambda: "a run to come to the fact")

        await hub.kill_workers()

    await until(lambda: all_handled(hub), seconds=LIMIT_SECONDS, what=lambda: "the next worker")
    assert await hub.runs_of_handle_notices("CRASHED") > crashed_before, "a second nudge may have brought a second run to the same fact"
    await each_counted_once(hub, "o-worker")


async def test_an_outage_of_prefect_and_a_killed_gateway_delay_webhooks_and_lose_none(hub: Hub) -> None:
    orders = ["o-outage-1", "o-outage-2"]
    await confirmed(hub, *orders)
    await hub.until_nobody_watches_the_inbox()
    began = time.monotonic()
    async with hub.no_prefect():
        answers = [await told(hub, orders[0], kind) for kind in PARCEL]
        killed = await hub.kill("gateway")
        await until(lambda: takes_webhooks(hub, orders[1]), seconds=30, what=lambda: "the gateway, which has nobody to ask for the secrets")
        assert hub.stack.pid("gateway") != killed.pid
        answers += [await told(hub, order_id, kind) for order_id in orders for kind in PARCEL]
        await asyncio.sleep(max(0.0, OUTAGE_SECONDS - (time.monotonic() - began)))
        assert not await all_handled(hub), "nobody can have started a run"
    assert answers == [202] * 9

    await until(lambda: all_handled(hub), seconds=LIMIT_SECONDS, what=lambda: "somebody to handle what came meanwhile")
    for order_id in orders:
        await each_counted_once(hub, order_id)


async def confirmed(hub: Hub, *order_ids: str) -> None:
    for order_id in order_ids:
        await hub.place(order_id)
    for order_id in order_ids:
        await hub.until_status(order_id, "confirmed")
    await until(lambda: all_handled(hub), seconds=30, what=lambda: "the webhooks of the order itself")


async def told(hub: Hub, order_id: str, kind: str) -> int:
    """The warehouse tells it; the same again is the same event. Returns the gateway's answer."""
    secret = json.loads((hub.stack.home / "secrets" / SANDBOX_FILE).read_text())["custom"]
    event = {"type": kind, "timestamp": "2026-11-22T04:00:00Z", "data": {"orderId": order_id}}
    call = custom_call(as_json(event), secret=secret, guid=f"msg-{order_id}-{kind}")
    return (await hub.gateway.post(call.target, content=call.body, headers=dict(call.headers))).status_code


async def takes_webhooks(hub: Hub, order_id: str) -> bool:
    try:
        return await told(hub, order_id, PARCEL[0]) == 202
    except httpx.TransportError:
        return False


async def all_handled(hub: Hub) -> bool:
    async with hub.database() as database:
        return not await database.fetchval("SELECT count(*) FROM notices WHERE state = 'kept'")


async def each_counted_once(hub: Hub, order_id: str) -> None:
    """Every event of the parcel is one notice and one fact, and the customer hears of the delivery once."""
    await hub.until_status(order_id, "delivered", seconds=30)
    async with hub.database() as database:
        notices = await database.fetch("SELECT kind, state FROM notices WHERE provider = 'custom' AND subject_id = $1", order_id)
        facts = await database.fetch(
            "SELECT kind FROM facts WHERE source = 'webhook' AND subject_id = $1 AND kind = ANY($2)", order_id, list(FACTS)
        )
        sent = await database.fetch("SELECT step FROM effects WHERE subject_id = $1 AND provider = 'sendgrid'", order_id)
    mails = [row["step"] for row in sent]
    assert sorted(map(tuple, notices)) == [(kind, "handled") for kind in sorted(PARCEL)]
    assert Counter(row["kind"] for row in facts) == FACTS
    assert (await hub.seen(order_id))["sendgrid.mail"] == len(mails)
    assert set(mails) - {"shipped-mail"} == {"mail", "delivered-mail"}, "that it was on its way is told if it was not there yet"


@asynccontextmanager
async def no_automation(hub: Hub) -> AsyncIterator[None]:
    """Somebody has deleted it, and makes it anew when the block is over."""
    found = (await hub.prefect.post("/automations/filter", json={})).raise_for_status().json()
    automation = next(one for one in found if one["name"] == AUTOMATION)
    (await hub.prefect.delete(f"/automations/{automation['id']}")).raise_for_status()
    try:
        yield
    finally:
        again = {name: automation[name] for name in KEPT_OF_AN_AUTOMATION if name in automation}
        (await hub.prefect.post("/automations/", json=again)).raise_for_status()


@asynccontextmanager
async def facts_wait(hub: Hub, order_id: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """While the block runs, a fact of the order waits in the database; yields a condition that says whether one does."""
    async with hub.database() as holder, hub.database() as observer:
        await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
        await observer.execute(f"""
            CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NEW; END $$;
            CREATE TRIGGER wait_for_the_test BEFORE INSERT ON facts FOR EACH ROW
            WHEN (NEW.subject_id = '{order_id}') EXECUTE FUNCTION wait_for_the_test();
        """)

        async def somebody_waits() -> bool:
            return bool(
                await observer.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1", LOCK)
            )

        try:
            yield somebody_waits
        finally:
            await holder.execute("SELECT pg_advisory_unlock($1)", LOCK)
            await observer.execute("DROP TRIGGER wait_for_the_test ON facts; DROP FUNCTION wait_for_the_test")
