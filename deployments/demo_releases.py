"""What the demo shows of releases: one that is deployed, followed by GitHub's webhooks, with one message that changes."""

from __future__ import annotations

from collections import Counter

from deployments.demo_scenes import Demo, Scene, scene_of
from deployments.examples import EXAMPLE_RELEASE
from deployments.release_commands import released

DEPLOYED = Counter({"github.deployment": 1, "slack.message": 1, "slack.message_updated": 2})


async def deployed(demo: Demo, release_id: str) -> Scene:
    """GitHub is asked for a deployment; no run waits for it, and a webhook says that it is done."""
    await demo.gateway.ask("PUT", f"/releases/{release_id}", EXAMPLE_RELEASE)
    waiting = await released(demo.gateway, release_id, "waiting")
    await demo.sandbox.happen(f"github/deployments/{waiting['deploymentId']}", state="success")
    view = await released(demo.gateway, release_id, "success")
    scene = await scene_of(demo, "a release, deployed by webhook", view, expected=DEPLOYED, status="success")
    scene.notes = ["one message to the team, which changed with it"]
    return scene
