"""What we ask of the place where the services' code lives about deployments, and what it gives back."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import Field

from hub.messages import LONGEST_NAME, text_reference
from hub.release_facts import DeploymentMarked, DeploymentMoved, DeploymentState
from hub.values import Frozen

REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{0,99}[A-Za-z0-9_-]$"
"""Owner and name; never a name of dots alone, which would lead elsewhere."""
LONGEST_DESCRIPTION = 140
"""Source: https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status"""


class DeploymentRequest(Frozen):
    """
    Ask for one deployment of a ref to an environment. ``metadata`` is our reference, which comes back on the events.

    ``required_contexts``: the checks that must have passed; none means that none has to.
    """

    repository: str = Field(pattern=REPOSITORY)
    ref: str
    environment: str
    required_contexts: tuple[str, ...]
    description: str
    metadata: dict[str, str]


class Deployment(Frozen):
    """A deployment that was asked for; whoever deploys tells how far it is."""

    deployment_id: int


class DeploymentStatus(Frozen):
    """How far a deployment was at some time, as whoever deploys has told; statuses are numbered upwards."""

    status_id: int
    state: DeploymentState
    environment: str
    description: str


class MarkRequest(Frozen):
    """Give a deployment a status of ours, with a few words; our reference is added to them."""

    repository: str = Field(pattern=REPOSITORY)
    deployment_id: int
    state: Literal["error", "inactive"]
    description: str = Field(max_length=LONGEST_DESCRIPTION - 50)


class Mark(Frozen):
    """A status of ours."""

    status_id: int


def marked(request: MarkRequest, key: str) -> str:
    """Return the description of the status that is given under ``key``."""
    return f"{request.description} {text_reference(key)}"


def meaning_of(status: DeploymentStatus, deployment_id: int, release_id: str) -> DeploymentMoved | DeploymentMarked:
    """Return what a status of the release's deployment means: news from whoever deploys, or a mark of ours."""
    if bears_our_mark(status.description, release_id):
        return DeploymentMarked(status_id=status.status_id)
    return DeploymentMoved(deployment_id=deployment_id, status_id=status.status_id, state=status.state, environment=status.environment)


def bears_our_mark(description: str, release_id: str) -> bool:
    """Tell whether a status with this description was given by a hub, about the release."""
    return re.search(rf"Ref {re.escape(release_id[:LONGEST_NAME])}\.[0-9a-z]{{6}}$", description) is not None


class Hook(Frozen):
    """A webhook of one repository."""

    repository: str = Field(pattern=REPOSITORY)
    hook_id: int

    def __str__(self) -> str:
        return f"{self.repository}/{self.hook_id}"


class FailedDelivery(Frozen):
    """One try to deliver a webhook that failed; ``guid`` is the event's, the same on every repetition."""

    delivery_id: int
    guid: str
    delivered_at: datetime
