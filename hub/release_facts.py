"""What has happened to a release, in our words; like all facts, recorded once and without anything personal."""

from __future__ import annotations

from typing import ClassVar, Literal

from hub.values import Frozen

DeploymentState = Literal["error", "failure", "inactive", "in_progress", "pending", "queued", "success", "waiting"]
"""GitHub's words. Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status"""


class DeploymentMade(Frozen):
    """The deployment was asked for; whoever deploys is told by GitHub."""

    told_apart_by: ClassVar = ("deployment_id",)

    kind: Literal["deployment made"] = "deployment made"
    deployment_id: int


class DeploymentRefused(Frozen):
    """GitHub makes no such deployment; ``code`` says why, e.g. ``merge_conflict``."""

    told_apart_by: ClassVar = ("code",)

    kind: Literal["deployment refused"] = "deployment refused"
    code: str


class DeploymentMoved(Frozen):
    """A deployment has got so far; ``state`` is GitHub's, e.g. ``in_progress``, and ``status_id`` rises from each status to the next."""

    told_apart_by: ClassVar = ("deployment_id", "status_id")

    kind: Literal["deployment moved"] = "deployment moved"
    deployment_id: int
    status_id: int
    state: DeploymentState
    environment: str


class NewsMissing(Frozen):
    """Nobody has told anything for too long; ``status_id`` is that of the last news, 0 when there was none."""

    told_apart_by: ClassVar = ("status_id",)

    kind: Literal["no news"] = "no news"
    status_id: int


class DeploymentMarked(Frozen):
    """The deployment has a status of ours at GitHub, which says that we have given up waiting."""

    told_apart_by: ClassVar = ("status_id",)

    kind: Literal["deployment marked"] = "deployment marked"
    status_id: int
