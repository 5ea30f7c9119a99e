"""
How far a release is: the last thing that was told of its deployment, or that nothing was told for too long.

GitHub numbers the statuses of a deployment upwards, so the news with the highest number counts, whatever the order in which they come.
"""

from __future__ import annotations

from enum import StrEnum

from hub.facets import rank
from hub.facts import DeploymentMade, DeploymentMoved, DeploymentRefused, Fact, NewsMissing
from hub.values import Frozen


class ReleaseStage(StrEnum):
    """
    How far a release is, in rising rank; what GitHub tells is in its own words, and all of that has the same rank.

    ``requested``: not at GitHub yet. ``refused``: GitHub makes no such deployment. ``waiting``: GitHub has it, and whoever deploys has not
    begun. ``timed_out``: nobody has told anything for too long since.
    """

    REQUESTED = "requested"
    REFUSED = "refused"
    WAITING = "waiting"
    QUEUED = "queued"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"
    TIMED_OUT = "timed_out"


class ReleaseStatus(StrEnum):
    """The words that people and programs outside use: the stage, unless a person has to look."""

    REQUESTED = "requested"
    REFUSED = "refused"
    WAITING = "waiting"
    QUEUED = "queued"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"
    TIMED_OUT = "timed_out"
    NEEDS_ATTENTION = "needs_attention"


UNDER_WAY = (ReleaseStage.WAITING, ReleaseStage.QUEUED, ReleaseStage.PENDING, ReleaseStage.IN_PROGRESS)
"""In one of these a release waits for whoever deploys."""
WENT_WRONG = (ReleaseStage.REFUSED, ReleaseStage.FAILURE, ReleaseStage.ERROR, ReleaseStage.TIMED_OUT)


class ReleaseFacets(Frozen):
    """A release's facet; ``status_id`` is GitHub's number of the last status that was told, 0 when there was none."""

    stage: ReleaseStage = ReleaseStage.REQUESTED
    status_id: int = 0
    attention: bool = False

    @property
    def status(self) -> ReleaseStatus:
        """The one word for it."""
        return ReleaseStatus.NEEDS_ATTENTION if self.attention else ReleaseStatus(self.stage)


def after(facets: ReleaseFacets, fact: Fact) -> ReleaseFacets:
    """Return the facets once ``fact`` is taken in; pure, and the order in which facts come makes no difference to where it ends."""
    match fact:
        case DeploymentRefused():
            return _forward(facets, ReleaseStage.REFUSED, 0)
        case DeploymentMade():
            return _forward(facets, ReleaseStage.WAITING, 0)
        case DeploymentMoved():
            return _forward(facets, ReleaseStage(fact.state), fact.status_id)
        case NewsMissing():
            return _forward(facets, ReleaseStage.TIMED_OUT, fact.status_id)
        case _:
            return facets


def _forward(facets: ReleaseFacets, stage: ReleaseStage, status_id: int) -> ReleaseFacets:
    """Return the later of the two: the higher number, and with the same number the higher rank."""
    if (status_id, rank(stage)) <= (facets.status_id, rank(facets.stage)):
        return facets
    return facets.model_copy(update={"stage": stage, "status_id": status_id})
