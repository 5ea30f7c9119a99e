"""What the tests of releases share: real releases in real rows, as runs hold them, and what GitHub tells about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from blocks.github_account import GitHubAccount
from deployments.examples import EXAMPLE_RELEASE
from hub.claims import leased
from hub.database import transaction
from hub.deploying import Deployment, Mark
from hub.effects import Effect
from hub.ledger import once
from hub.notices import Notice
from hub.release_decisions import caught_up, give_up_waiting
from hub.release_tables import ReleaseRow
from hub.releases import Release, ReleaseRequest
from hub.releasing import keep_release
from tests.contract.ledger_kit import sql
from tests.contract.notice_kit import told


def a_request(**changes: Any) -> ReleaseRequest:
    return ReleaseRequest.model_validate({**EXAMPLE_RELEASE, **changes})


async def a_release(**changes: Any) -> str:
    """Keep a release under a new id, and return the id."""
    release_id = f"r-{uuid4().hex[:10]}"
    await keep_release(release_id, a_request(**changes))
    return release_id


@asynccontextmanager
async def run(release_id: str) -> AsyncIterator[Release]:
    """A run that holds the release while the block runs."""
    async with leased(release_id, f"run-{uuid4().hex[:8]}", "release") as lease:
        assert lease.is_mine
        yield lease.subject


async def deploy(github: GitHubAccount, release: Release) -> Deployment:
    effect = release.effect("deployment", release.deployment_request())
    return await once(effect, terms=github.terms, call=github.create_deployment, find=github.find_deployment)


async def mark(github: GitHubAccount, owed: Effect) -> Mark:
    return await once(owed, terms=github.terms, call=github.mark_deployment, find=github.find_mark)


async def until_deployed(github: GitHubAccount, release_id: str) -> Deployment:
    async with run(release_id) as release:
        return await deploy(github, release)


async def given_up(release: Release) -> Release:
    """The release as it is when nobody has told anything for too long."""
    await give_up_waiting(release)
    return await caught_up(release)


def status_told(release: Release, deployment_id: int, status_id: int, state: str, description: str = "") -> Notice:
    """What GitHub tells of a status of the release's deployment."""
    status = {"id": status_id, "state": state, "environment": "production", "description": description}
    payload = {**release.reference, "effect": f"{release.hub_id}:{release.effect_key('deployment')}"}
    return told("github", "deployment_status", {"deployment_status": status, "deployment": {"id": deployment_id, "payload": payload}})


async def row_of(release_id: str) -> ReleaseRow:
    async with transaction() as session:
        return await session.get_one(ReleaseRow, release_id)


async def silence(release_id: str, seconds: float) -> None:
    """Let everything that was told of the release be so much older."""
    await sql(
        "UPDATE releases SET news_at = news_at - make_interval(secs => :seconds), resume_at = resume_at - make_interval(secs => :seconds)"
        " WHERE id = :id",
        id=release_id,
        seconds=seconds,
    )
