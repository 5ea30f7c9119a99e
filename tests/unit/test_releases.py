"""What a release may look like, and how far it is: the news with the highest number counts, whatever the order in which they come."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deployments.examples import EXAMPLE_RELEASE
from hub.deploying import MarkRequest, bears_our_mark, marked
from hub.facts import DeploymentMade, DeploymentMoved, DeploymentRefused, Fact, NewsMissing
from hub.release_facets import ReleaseFacets, ReleaseStage, ReleaseStatus, after
from hub.releases import Release, ReleaseRequest
from tests.unit.drawn_facts import BY_KIND

MADE, SILENCE = DeploymentMade(deployment_id=1), NewsMissing(status_id=0)
ABOUT_RELEASES = st.one_of(*(BY_KIND[kind] for kind in (DeploymentMade, DeploymentRefused, DeploymentMoved, NewsMissing)))


def moved(number: int, state: Any) -> DeploymentMoved:
    return DeploymentMoved(deployment_id=1, status_id=number, state=state, environment="production")


def once(*facts: Fact) -> ReleaseFacets:
    facets = ReleaseFacets()
    for fact in facts:
        facets = after(facets, fact)
    return facets


@given(st.lists(ABOUT_RELEASES, max_size=8).flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn + drawn[:3]))))
def test_the_same_facts_in_any_order_and_twice_are_the_same_release(drawn: tuple[list[Fact], list[Fact]]) -> None:
    in_order, shuffled = drawn

    assert once(*in_order) == once(*shuffled)


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ((), "requested"),
        ((MADE,), "waiting"),
        ((DeploymentRefused(code="merge_conflict"),), "refused"),
        ((moved(1, "in_progress"), MADE), "in_progress"),
        ((MADE, moved(2, "success"), moved(1, "in_progress")), "success"),
        ((MADE, moved(1, "success"), moved(2, "inactive")), "inactive"),
        ((MADE, moved(1, "failure"), moved(2, "pending")), "pending"),
        ((MADE, SILENCE), "timed_out"),
        ((MADE, SILENCE, moved(1, "success")), "success"),
        ((MADE, moved(1, "in_progress"), SILENCE), "in_progress"),
        ((MADE, moved(1, "in_progress"), NewsMissing(status_id=1)), "timed_out"),
        ((DeploymentRefused(code="merge_conflict"), moved(1, "queued")), "queued"),
    ],
)
def test_how_far_a_release_is(facts: tuple[Fact, ...], stage: str) -> None:
    assert once(*facts).stage == stage


def test_whatever_a_person_has_to_look_at_comes_first() -> None:
    assert {ReleaseFacets(stage=stage, attention=True).status for stage in ReleaseStage} == {ReleaseStatus.NEEDS_ATTENTION}
    assert {ReleaseFacets(stage=stage).status for stage in ReleaseStage} == set(ReleaseStatus) - {ReleaseStatus.NEEDS_ATTENTION}


@pytest.mark.parametrize(
    ("stage", "name"),
    [("waiting", "ReleaseWaiting"), ("in_progress", "ReleaseWaiting"), ("success", "ReleaseSuccess"), ("timed_out", "ReleaseTimedOut")],
)
def test_a_run_ends_in_a_state_that_says_how_far_the_release_is(stage: str, name: str) -> None:
    held: dict[str, Any] = {"correlation_id": "c", "attempt": 1, "epoch": 1, "fence": 1, "run_id": "r", "due": True}
    request = ReleaseRequest.model_validate(EXAMPLE_RELEASE)
    release = Release(id="r-1", hub_id=UUID(int=0), request=request, facets=ReleaseFacets(stage=ReleaseStage(stage)), **held)

    assert release.state_name == name


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "shop"},
        {"repository": "example/shop/../../user"},
        {"repository": "example/shop?x=1"},
        {"repository": "example/.."},
        {"ref": ""},
        {"ref": "a\nb"},
        {"environment": ""},
        {"requiredContexts": [""]},
        {"autoMerge": True},
    ],
)
def test_what_is_no_release_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReleaseRequest.model_validate({**EXAMPLE_RELEASE, **changes})


@pytest.mark.parametrize("release_id", ["r-1", "a" * 64, "r.1(*)"])
def test_a_mark_of_ours_is_known_again_and_fits(release_id: str) -> None:
    request = MarkRequest(repository="example/shop", deployment_id=1, state="error", description="Nothing was heard for too long.")
    description = marked(request, f"{UUID(int=7)}:release:{release_id}:mark.2:1")

    assert len(description) <= 140
    assert bears_our_mark(description, release_id)
    assert not bears_our_mark(description, "another")
    assert not bears_our_mark("deployed", release_id)
