"""
What GitHub tells about deployments.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
"""

from __future__ import annotations

import hashlib
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.callback_delivery import Callback
from sandbox.calls import World

NAME = "github"
DeploymentState = Literal["error", "failure", "inactive", "in_progress", "queued", "pending", "success", "waiting"]
_API = "https://api.github.com"


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
    """Tell that a deployment has a new status, and return the event; ``payload`` is what the deployment was made with."""
    owner, _, name = repository.partition("/")
    url = f"{_API}/repos/{repository}"
    deployment_url = f"{url}/deployments/{deployment_id}"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status_id = time.time_ns() // 1_000_000
    person = {"login": owner, "id": 1, "node_id": "MDQ6VXNlcjE=", "type": "User", "url": f"{_API}/users/{owner}"}
    event = {
        "action": "created",
        "deployment_status": {
            "url": f"{deployment_url}/statuses/{status_id}",
            "id": status_id,
            "node_id": f"DES_{status_id}",
            "state": state,
            "creator": person,
            "description": description,
            "environment": environment,
            "target_url": "",
            "log_url": "",
            "environment_url": "",
            "created_at": now,
            "updated_at": now,
            "deployment_url": deployment_url,
            "repository_url": url,
        },
        "deployment": {
            "url": deployment_url,
            "id": deployment_id,
            "node_id": f"DE_{deployment_id}",
            "task": "deploy",
            "original_environment": environment,
            "environment": environment,
            "description": None,
            "created_at": now,
            "updated_at": now,
            "statuses_url": f"{deployment_url}/statuses",
            "repository_url": url,
            "creator": person,
            "sha": hashlib.sha1(ref.encode(), usedforsecurity=False).hexdigest(),
            "ref": ref,
            "payload": payload,
            "transient_environment": False,
            "production_environment": environment == "production",
            "performed_via_github_app": None,
        },
        "check_run": None,
        "workflow": None,
        "workflow_run": None,
        "repository": {"id": 1, "node_id": "R_1", "name": name, "full_name": repository, "private": True, "owner": person, "url": url},
        "sender": person,
    }
    world.callbacks.post(Callback(NAME, "deployment_status", str(uuid.uuid4()), event))
    return event
