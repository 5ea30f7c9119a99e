"""A release's row: how a fact changes it, how long whoever deploys may be silent, and how it becomes a snapshot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.facts import DeploymentMade, DeploymentMoved, DeploymentRefused, Fact
from hub.progress import attention_for
from hub.release_facets import UNDER_WAY, ReleaseFacets, ReleaseStage, ReleaseStatus, after
from hub.release_tables import ReleaseRow
from hub.releases import Release, ReleaseRequest
from hub.settings import settings
from hub.subjects import Moved

_MESSAGES = {
    ReleaseStatus.REQUESTED: "GitHub is asked for a deployment",
    ReleaseStatus.WAITING: "GitHub has the deployment; whoever deploys has not begun",
    ReleaseStatus.QUEUED: "queued",
    ReleaseStatus.PENDING: "pending",
    ReleaseStatus.IN_PROGRESS: "being deployed",
    ReleaseStatus.SUCCESS: "deployed",
    ReleaseStatus.FAILURE: "the deployment failed",
    ReleaseStatus.ERROR: "the deployment ended with an error",
    ReleaseStatus.INACTIVE: "the deployment is not in use any more",
    ReleaseStatus.TIMED_OUT: "nobody has told how far the deployment is for too long",
}
_REFUSALS = {
    "merge_conflict": "the ref cannot be merged",
    "failed_contexts": "a required check has not passed",
    "no_such_ref": "the repository has no such ref",
}


class NoSuchRelease(Exception):
    """There is no release with this id."""

    def __init__(self, release_id: str) -> None:
        super().__init__(release_id)
        self.release_id = release_id

    def __str__(self) -> str:
        return f"there is no release {self.release_id}; start it first"


def facets_of(row: ReleaseRow) -> ReleaseFacets:
    """Return the facets that stand in the row's columns."""
    return ReleaseFacets(stage=ReleaseStage(row.stage), status_id=row.status_id, attention=row.attention is not None)


def write_facets(row: ReleaseRow, facets: ReleaseFacets) -> None:
    """Put ``facets`` and the status that follows from them into the row."""
    row.stage, row.status_id = facets.stage, facets.status_id
    if row.status != facets.status:
        row.status = facets.status
        row.changes += 1
    row.message = _MESSAGES.get(facets.status, row.message)
    if row.attention is not None:
        row.message = f"needs attention: {row.attention}"


def move(row: ReleaseRow, fact: Fact) -> Moved:
    """Take a new fact in: the facets, the status, and what people ask for first."""
    before, reason = facets_of(row), attention_for(fact, row.id)
    row.attention = reason or row.attention
    facets = after(before, fact).model_copy(update={"attention": row.attention is not None})
    match fact:
        case DeploymentMade() | DeploymentMoved():
            row.deployment_id, row.news_at = fact.deployment_id, row.progressed_at
        case DeploymentRefused():
            row.message = f"GitHub makes no such deployment: {_REFUSALS.get(fact.code, fact.code)}"
    write_facets(row, facets)
    return Moved(changed=facets != before, to_do=reason is not None or facets.stage is not before.stage)


def waits_until(row: ReleaseRow) -> datetime | None:
    """Return when the patience with whoever deploys ends; None where nobody is waited for."""
    if row.attention is not None or row.stage not in UNDER_WAY or row.news_at is None:
        return None
    return row.news_at + timedelta(seconds=settings().release_news_seconds * settings().time_scale)


def snapshot(row: ReleaseRow, hub_id: UUID, run_id: str, **more: Any) -> Release:
    """Return the row as the frozen value that a run works with."""
    return Release(
        id=row.id,
        hub_id=hub_id,
        correlation_id=row.correlation_id,
        request=ReleaseRequest.model_validate(row.request),
        attempt=row.attempt,
        epoch=row.epoch,
        fence=row.fence,
        run_id=run_id,
        facets=facets_of(row),
        deployment_id=row.deployment_id,
        changes=row.changes,
        until=waits_until(row),
        attention=row.attention,
        message=row.message,
        **more,
    )
