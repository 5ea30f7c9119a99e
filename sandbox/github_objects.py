"""
What GitHub's API and its webhooks show of a repository: deployments and their statuses.

Source: https://docs.github.com/en/rest/deployments/deployments and https://docs.github.com/en/rest/deployments/statuses
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.store import Store

NAME = "github"
API = "https://api.github.com"
HOOK_ID = 100_000_001
DeploymentState = Literal["error", "failure", "inactive", "in_progress", "queued", "pending", "success", "waiting"]


def next_id(store: Store, kind: str) -> int:
    """Return an id that is higher than every earlier one of this kind: the time in microseconds."""
    last = next(store.newest_first(NAME, kind), {"id": 0})
    return int(max(time.time_ns() // 1000, last["id"] + 1))


def iso_now() -> str:
    """Return the time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def person_named(login: str) -> dict[str, Any]:
    """Return a user or an organisation."""
    return {"login": login, "id": 1, "node_id": "MDQ6VXNlcjE=", "type": "User", "url": f"{API}/users/{login}"}


def new_deployment(
    deployment_id: int,
    repository: str,
    *,
    ref: str,
    environment: str,
    payload: dict[str, Any] | str,
    description: str | None = None,
    api: str = API,
) -> dict[str, Any]:
    """Return a deployment of ``repository`` (owner/name); ``api`` is where its addresses begin."""
    url, now = f"{api}/repos/{repository}", iso_now()
    return {
        "url": f"{url}/deployments/{deployment_id}",
        "id": deployment_id,
        "node_id": f"DE_{deployment_id}",
        "task": "deploy",
        "original_environment": environment,
        "environment": environment,
        "description": description,
        "created_at": now,
        "updated_at": now,
        "statuses_url": f"{url}/deployments/{deployment_id}/statuses",
        "repository_url": url,
        "creator": person_named(repository.partition("/")[0]),
        "sha": hashlib.sha1(ref.encode(), usedforsecurity=False).hexdigest(),
        "ref": ref,
        "payload": payload,
        "transient_environment": False,
        "production_environment": environment == "production",
        "performed_via_github_app": None,
    }


def new_status(status_id: int, deployment: dict[str, Any], state: DeploymentState, description: str) -> dict[str, Any]:
    """Return a status of ``deployment``."""
    now = iso_now()
    return {
        "url": f"{deployment['statuses_url']}/{status_id}",
        "id": status_id,
        "node_id": f"DES_{status_id}",
        "state": state,
        "creator": deployment["creator"],
        "description": description,
        "environment": deployment["environment"],
        "target_url": "",
        "log_url": "",
        "environment_url": "",
        "created_at": now,
        "updated_at": now,
        "deployment_url": deployment["url"],
        "repository_url": deployment["repository_url"],
    }
