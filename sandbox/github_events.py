"""
What GitHub tells about deployments.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
"""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.callback_delivery import Callback
from sandbox.calls import World
from sandbox.github_objects import API, NAME, DeploymentState, new_deployment, new_status, next_id, person_named


def tell_deployment(world: World, repository: str, deployment: dict[str, Any]) -> None:
    """Tell that a deployment was made."""
    _tell(world, "deployment", repository, {"deployment": deployment})


def tell_status(world: World, repository: str, deployment: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """Tell that a deployment has a new status, and return the event."""
    return _tell(world, "deployment_status", repository, {"deployment_status": status, "deployment": deployment, "check_run": None})


def deployment_status(  # noqa: PLR0913 - the facts of a deployment that differ
    world: World,
    *,
    repository: str,
    deployment_id: int,
    state: DeploymentState,
    environment: str,
    ref: str,
    payload: dict[str, Any],
    description: str,
) -> dict[str, Any]:
    """Tell of a new status of a deployment that somebody else has made, and return the event; ``payload`` is what it was made with."""
    deployment = new_deployment(deployment_id, repository, ref=ref, environment=environment, payload=payload)
    return tell_status(world, repository, deployment, new_status(next_id(world.store, "status"), deployment, state, description))


def progress(world: World, deployment_id: str, state: DeploymentState, description: str) -> dict[str, Any] | None:
    """Give a deployment of ours a new status and tell, as whoever deploys does; returns the status, or None when there is none such."""
    deployment = world.store.get(NAME, "deployment", deployment_id)
    if deployment is None:
        return None
    return add_status(world, deployment.pop("repository"), deployment, state, description)


def add_status(world: World, repository: str, deployment: dict[str, Any], state: DeploymentState, description: str) -> dict[str, Any]:
    """Keep a new status of ``deployment``, tell, and return the status."""
    status = new_status(next_id(world.store, "status"), deployment, state, description)
    world.store.put(NAME, "status", str(status["id"]), status, parent=str(deployment["id"]))
    tell_status(world, repository, deployment, status)
    return status


def _tell(world: World, kind: str, repository: str, about: dict[str, Any]) -> dict[str, Any]:
    owner, _, name = repository.partition("/")
    person, url = person_named(owner), f"{API}/repos/{repository}"
    event = {
        "action": "created",
        **about,
        "workflow": None,
        "workflow_run": None,
        "repository": {"id": 1, "node_id": "R_1", "name": name, "full_name": repository, "private": True, "owner": person, "url": url},
        "sender": person,
    }
    world.callbacks.post(Callback(NAME, kind, str(uuid.uuid4()), event))
    return event
