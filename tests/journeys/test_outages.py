"""A provider is down for longer than every run's patience while orders come in: they park, it is only probed, and then all go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.journeys.hub_under_test import Hub, until
from tests.proofs.outage import stripe_is_away

pytestmark = pytest.mark.timeout(240)


async def test_orders_park_while_stripe_is_down_and_each_is_confirmed_once_when_it_is_back(hub: Hub) -> None:
    began = datetime.now(UTC)
    seen = await stripe_is_away(hub, [f"o-unpaid-{number}" for number in range(15)])

    assert seen.troubles == []
    await gate_events(hub, "stripe", began, [("hub.gate.closed", "calls failed"), ("hub.gate.opened", "calls failed")])


async def test_the_report_of_the_hour_shows_each_provider_with_its_gate_and_its_trend(hub: Hub) -> None:
    await hub.place("o-reported")
    await hub.until_status("o-reported", "confirmed")
    await hub.command("hub", "providers", "pause", "github", "--because", "a release freeze")
    try:
        run = await hub.run({}, deployment="report-health/hub")
    finally:
        await hub.command("hub", "providers", "resume", "github")

    asked = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": ["service-health"]}}}
    (artifact,) = (await hub.prefect.post("/artifacts/filter", json=asked)).raise_for_status().json()
    rows = {row["service"]: row for row in json.loads(artifact["data"])}
    assert rows["stripe"]["calls"] >= 1
    assert rows["stripe"]["p95"].endswith(" ms")
    assert rows["github"]["gate"] == "paused"
    assert {len(row["trend"]) for row in rows.values()} == {12}


async def test_prefect_hears_a_persons_word_about_a_gate(hub: Hub) -> None:
    began = datetime.now(UTC)
    await hub.command("hub", "providers", "pause", "twilio", "--because", "their maintenance")
    await hub.command("hub", "providers", "resume", "twilio")

    await gate_events(hub, "twilio", began, [(f"hub.gate.{state}", "paused: their maintenance") for state in ("closed", "opened")])


async def gate_events(hub: Hub, provider: str, since: datetime, expected: list[tuple[str, str]]) -> None:
    """Wait until Prefect has the events of the provider's gate, and no others: their names, and what their reasons end with."""
    body = {
        "filter": {
            "occurred": {"since": since.isoformat()},
            "event": {"prefix": ["hub.gate."]},
            "any_resource": {"id": [f"hub.provider.{provider}"]},
            "order": "ASC",
        }
    }
    found: list[tuple[str, str]] = []

    async def there() -> bool:
        events = (await hub.prefect.post("/events/filter", json=body)).raise_for_status().json()["events"]
        found[:] = [(event["event"], event["payload"]["reason"]) for event in events]
        return len(found) >= len(expected)

    await until(there, seconds=30, what=lambda: f"{expected}, but {found}")
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert all(reason.endswith(end) for (_, reason), (_, end) in zip(found, expected, strict=True)), found
