"""What becomes of a release, seen from outside: deployed, failed, silent, an answer that is lost, a webhook that never came through."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from deployments.examples import EXAMPLE_RELEASE
from tests.journeys.hub_under_test import Hub, until

pytestmark = pytest.mark.timeout(300)


async def place(hub: Hub, release_id: str, **changes: Any) -> None:
    (await hub.gateway.put(f"/releases/{release_id}", json={**EXAMPLE_RELEASE, **changes})).raise_for_status()


async def until_release(hub: Hub, release_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
    """Return the release once it has one of these statuses, and its message shows it."""
    latest: dict[str, Any] = {}

    async def there() -> bool:
        latest.update((await hub.gateway.get(f"/releases/{release_id}")).raise_for_status().json())
        return latest["status"] in statuses

    await until(there, seconds=seconds, what=lambda: f"{release_id}, but {latest}")
    return latest


async def until_shown(hub: Hub, release_id: str, words: str) -> None:
    """Return once the team's message about the release says so."""

    async def shown() -> bool:
        said = [message["text"] for message in await hub.sandbox.objects("slack", "message") if f"release {release_id}:" in message["text"]]
        return len(said) == 1 and words in said[0]

    await until(shown, seconds=30, what=lambda: f"the message about {release_id} to say {words}")


async def deploys(hub: Hub, view: dict[str, Any], state: str) -> None:
    """Whoever deploys says how far it is."""
    await hub.sandbox.world(f"github/deployments/{view['deploymentId']}", state=state)


async def test_a_release_is_asked_for_once_and_followed_to_its_end_by_webhooks(hub: Hub) -> None:
    run = await hub.run({**EXAMPLE_RELEASE, "release_id": "r-deployed"}, deployment="release-service/hub")
    assert run["state"]["name"] == "ReleaseWaiting"

    view = await until_release(hub, "r-deployed", "waiting")
    for state in ("in_progress", "success"):
        await deploys(hub, view, state)
        await until_release(hub, "r-deployed", state)
        await until_shown(hub, "r-deployed", state.replace("_", " "))

    again = await hub.run({**EXAMPLE_RELEASE, "release_id": "r-deployed"}, deployment="release-service/hub")
    assert again["state"]["name"] == "ReleaseSuccess"
    assert await hub.seen("r-deployed") == Counter({"github.deployment": 1, "slack.message": 1, "slack.message_updated": 3})
