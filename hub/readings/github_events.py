"""
How far a deployment is. Our reference is in the deployment's payload, as ``effect``.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
"""

from __future__ import annotations

from typing import Any

from hub.deploying import DeploymentStatus, meaning_of
from hub.readings.news import Foreign, Line, Metadata, News, object_in
from hub.readings.registry import ignores, reads
from hub.release_facts import DeploymentState

PROVIDER = "github"


class _Status(Foreign):
    id: int
    state: DeploymentState
    environment: Line
    description: Line | None = None


class _Deployment(Foreign):
    id: int
    payload: dict[str, Any] | str


class _Event(Foreign):
    deployment_status: _Status
    deployment: _Deployment


@reads(PROVIDER, "deployment_status")
def deployment_moved(event: dict[str, Any]) -> News | None:
    """A deployment has got so far, or has a mark of ours; one without our reference was made by somebody else."""
    told = _Event.model_validate(event)
    payload = told.deployment.payload
    if isinstance(payload, str):
        payload = object_in(payload) if payload else {}
    ours = Metadata.model_validate(payload).ours if isinstance(payload, dict) else None
    if ours is None:
        return None
    status = told.deployment_status
    heard = DeploymentStatus(status_id=status.id, state=status.state, environment=status.environment, description=status.description or "")
    return News(about=ours.about, facts=(meaning_of(heard, told.deployment.id, ours.about.subject_id),))


ignores(PROVIDER, "deployment", because="we have made the deployment and know of it")
ignores(PROVIDER, "ping", because="GitHub only tries whether we answer")
