"""The steps of a release: who does them, when they may be done, and what their outcomes mean."""

from __future__ import annotations

from hub.deploying import Deployment, Mark, MarkRequest
from hub.errors import Refused
from hub.facts import DeploymentMade, DeploymentMarked, DeploymentRefused, Fact
from hub.notification_steps import calls_for_a_person, message_update, notification_step
from hub.notification_types import RELEASE, RELEASE_SILENT
from hub.policies import EXTERNAL
from hub.release_facets import ReleaseFacets, ReleaseStage
from hub.steps import DAY, EffectState, Outcome, Step


def _deployment_means(_attempt: int, deployment: Deployment) -> Outcome:
    return Outcome(EffectState.DONE, str(deployment.deployment_id), DeploymentMade(deployment_id=deployment.deployment_id))


def _deployment_refused(_attempt: int, refusal: Refused) -> Fact:
    return DeploymentRefused(code=refusal.code)


def _mark_means(_attempt: int, mark: Mark) -> Outcome:
    return Outcome(EffectState.DONE, str(mark.status_id), DeploymentMarked(status_id=mark.status_id))


def _is_requested(facets: ReleaseFacets) -> bool:
    return facets.stage is ReleaseStage.REQUESTED


def _timed_out(facets: ReleaseFacets) -> bool:
    return facets.stage is ReleaseStage.TIMED_OUT


def _always(_facets: ReleaseFacets) -> bool:
    return True


RELEASE_STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(
            name="deployment",
            provider="github",
            action="create the deployment",
            policy=EXTERNAL,
            result=Deployment,
            permits=_is_requested,
            means=_deployment_means,
            refused_means=_deployment_refused,
        ),
        Step(
            name="mark",
            provider="github",
            action="mark the deployment",
            policy=EXTERNAL,
            result=Mark,
            permits=_timed_out,
            means=_mark_means,
            useful_seconds=DAY,
            owed_request=MarkRequest,
        ),
        notification_step(RELEASE, "tell the team", _always),
        message_update(RELEASE, _always),
        notification_step(RELEASE_SILENT, "tell the team", _timed_out),
        *calls_for_a_person(_always),
    )
}
