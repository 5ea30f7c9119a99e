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


async def view_of(hub: Hub, release_id: str) -> dict[str, Any]:
    return dict((await hub.gateway.get(f"/releases/{release_id}")).raise_for_status().json())


async def until_release(hub: Hub, release_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
    """Return the release once it has one of these statuses, and its message shows it."""
    latest: dict[str, Any] = {}

    async def there() -> bool:
        latest.update(await view_of(hub, release_id))
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


async def test_a_deployment_that_fails_ends_the_release_whose_id_was_made_from_the_run(hub: Hub) -> None:
    run_id = await hub.start({**EXAMPLE_RELEASE, "required_contexts": ["ci/tests"]}, deployment="release-service/hub")
    await hub.until_over(run_id)
    release_id = f"run-{run_id}"

    view = await until_release(hub, release_id, "waiting")
    await deploys(hub, view, "failure")

    assert (await until_release(hub, release_id, "failure"))["message"] == "the deployment failed"
    await until_shown(hub, release_id, "failure")


async def test_a_ref_that_cannot_be_merged_is_refused_and_the_team_reads_why(hub: Hub) -> None:
    await place(hub, "r-refused", ref="conflicting")

    await until_release(hub, "r-refused", "refused")
    await until_shown(hub, "r-refused", "the ref cannot be merged")
    assert (await hub.seen("r-refused"))["github.deployment"] == 0


async def test_silence_ends_a_release_here_and_at_github(hub: Hub) -> None:
    await hub.command("hub", "release", "start", "r-silent", "--repository", "example/shop", "--ref", "main", "--environment", "staging")
    await until_release(hub, "r-silent", "waiting")
    await until_shown(hub, "r-silent", "waiting")
    async with hub.database() as database:
        past = "UPDATE releases SET news_at = news_at - interval '10 minutes', resume_at = clock_timestamp() WHERE id = 'r-silent'"
        await database.execute(past)

    await until_release(hub, "r-silent", "timed_out")
    await until_shown(hub, "r-silent", "timed out")
    async with hub.database() as database:

        async def heard_of_our_mark() -> bool:
            told = "SELECT count(*) FROM notices WHERE subject_id = 'r-silent' AND kind = 'deployment_status' AND state = 'handled'"
            return bool(await database.fetchval(told))

        await until(heard_of_our_mark, seconds=30, what=lambda: "GitHub to tell of our mark")
    assert '"timed_out"' in await hub.command("hub", "release", "show", "r-silent", "--json")
    assert "no news" in await hub.command("hub", "release", "explain", "r-silent")
    assert await hub.seen("r-silent") == Counter(
        {"github.deployment": 1, "github.status": 1, "slack.message": 2, "slack.message_updated": 2}
    )


async def test_an_answer_that_is_lost_is_looked_for_and_a_webhook_that_never_came_is_asked_for_again(hub: Hub) -> None:
    await hub.sandbox.fault("github", "create deployment", "drop", when="after", match={"subject": "r-lost"})
    await place(hub, "r-lost")
    view = await until_release(hub, "r-lost", "waiting")

    await hub.sandbox.webhooks_misbehave("github", "deployment_status", drop=True)
    await deploys(hub, view, "success")
    missed = [one["events"] for one in await hub.sandbox.webhooks("github", "deployment_status", "withheld")]
    await hub.sandbox.webhooks_misbehave("github", "deployment_status")

    await until_release(hub, "r-lost", "success")
    assert len(missed) == 1
    assert (await hub.seen("r-lost"))["github.deployment"] == 1
