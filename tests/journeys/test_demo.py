"""`hub demo` on a running hub: what it shows is so, and it notices when it is not."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from deployments.demo_scenes import Demo, Outcome
from deployments.demo_story import play
from deployments.gateway_client import GatewayClient
from deployments.sandbox_client import SandboxClient
from hub.kinds import KINDS
from tests.contract.metrics_kit import Scrape, scrape
from tests.journeys.hub_under_test import Hub, until

pytestmark = pytest.mark.timeout(240)


async def test_the_demo_shows_what_it_says_and_the_metrics_say_what_providers_and_ledger_have(hub: Hub) -> None:
    before, asked, newest = await settled(hub), await hub.sandbox.requests(), await newest_attempt(hub)

    outcome = await played(hub)

    shown = outcome.as_json()
    assert outcome.ok, shown
    assert [signup["status"] for signup in shown["signups"].values()] == ["COMPLETE", "COMPLETE", "PARTIAL"]
    assert [release["status"] for release in shown["releases"].values()] == ["success"]
    assert [len(signup["notificationsSent"]) for signup in shown["signups"].values()] == [2, 3, 1]
    assert {(told.kept, told.facts) for scene in outcome.scenes for told in scene.told} == {(1, 1)}
    after = await settled(hub)
    calls = after["hub_provider_calls_total"] - before["hub_provider_calls_total"]
    by_provider = sum((Counter({provider: number}) for (*_, provider), number in calls.items()), Counter[str]())
    done = Counter({action: number for (action, kind, result, _), number in calls.items() if (kind, result) == ("call", "done")})
    audited = after["hub_payment_audit_entries_total"] - before["hub_payment_audit_entries_total"]
    requests = await hub.sandbox.requests(since=max((one["n"] for one in asked), default=0))
    assert by_provider == Counter(one["provider"] for one in requests if one["operation"] != "list deliveries")  # that is the sweep's
    assert done["buy the label"] == outcome.effects["shippo.label"]
    assert audited["usd", "charged"] == outcome.effects["stripe.charge"]
    assert audited["usd", "refunded"] == outcome.effects["stripe.refund"]
    async with hub.database() as database:
        took = "SELECT count(*) AS number, sum(extract(epoch FROM ended_at - started_at))::float8 AS seconds FROM attempts WHERE id > $1"
        ledger = await database.fetchrow(took, newest)
    histogram = "hub_provider_call_duration_seconds"
    assert after.sum(f"{histogram}_count") - before.sum(f"{histogram}_count") == ledger["number"] == calls.total()
    assert after.sum(f"{histogram}_sum") - before.sum(f"{histogram}_sum") == pytest.approx(ledger["seconds"])


BUSY = "SELECT id FROM {table} WHERE lease_until > clock_timestamp() OR resume_at <= clock_timestamp()"
UNDER_WAY = " UNION ALL ".join(
    [
        *(BUSY.format(table=kind.row.__tablename__) for kind in KINDS.values()),
        "SELECT event_id FROM notices WHERE next_at <= clock_timestamp()",
    ]
)


async def settled(hub: Hub) -> Scrape:
    """The metrics once nothing is under way: no run holds anything, and nothing is due."""
    seen: list[str] = []

    async def quiet() -> bool:
        async with hub.database() as database:
            seen[:] = [str(row[0]) for row in await database.fetch(UNDER_WAY)]
        return not seen

    await until(quiet, seconds=60, what=lambda: f"nothing to be under way, but {seen}")
    return await scrape(hub.gateway)


async def newest_attempt(hub: Hub) -> int:
    async with hub.database() as database:
        return int(await database.fetchval("SELECT coalesce(max(id), 0) FROM attempts"))


async def test_the_demo_says_so_when_something_is_not_as_it_should_be(hub: Hub) -> None:
    await hub.sandbox.fault("sendgrid", "send mail", "status", status=400, match={"containing": "welcome-mail"})

    outcome = await played(hub)

    assert not outcome.ok
    assert sum(not scene.ok for scene in outcome.scenes) >= 1


async def played(hub: Hub) -> Outcome:
    bearer = {"Authorization": f"Bearer {hub.sandbox.token}"}
    async with (
        httpx.AsyncClient(base_url=hub.stack.gateway_url, trust_env=False) as door,
        httpx.AsyncClient(base_url=hub.sandbox.url, headers=bearer, trust_env=False) as sandbox,
    ):
        return await play(Demo(GatewayClient(hub.gateway), door, SandboxClient(sandbox), hub.prefect, pick_tickets=True), lambda _: None)
