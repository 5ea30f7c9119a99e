"""`hub demo` on a running hub: what it shows is so, and it notices when it is not."""

from __future__ import annotations

import httpx
import pytest

from deployments.demo_scenes import Demo, Outcome
from deployments.demo_story import play
from deployments.gateway_client import GatewayClient
from deployments.sandbox_client import SandboxClient
from tests.journeys.hub_under_test import Hub

pytestmark = pytest.mark.timeout(240)


async def test_the_demo_shows_what_it_says(hub: Hub) -> None:
    outcome = await played(hub)

    shown = outcome.as_json()
    assert outcome.ok, shown
    assert [signup["status"] for signup in shown["signups"].values()] == ["COMPLETE", "COMPLETE", "PARTIAL"]
    assert [release["status"] for release in shown["releases"].values()] == ["success"]
    assert [len(signup["notificationsSent"]) for signup in shown["signups"].values()] == [2, 3, 1]
    assert {(told.kept, told.facts) for scene in outcome.scenes for told in scene.told} == {(1, 1)}


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
        return await play(Demo(GatewayClient(hub.gateway), door, SandboxClient(sandbox), hub.prefect), lambda _: None)
