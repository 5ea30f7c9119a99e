"""Releases at GitHub, and the one message in which the team sees how far each is."""

from __future__ import annotations

from prefect import task

from blocks.accounts import load_account
from blocks.github_account import GitHubAccount
from hub.deploying import Deployment, Mark
from hub.effects import Effect
from hub.gate_views import is_left_alone
from hub.ledger import once
from hub.notification_types import RELEASE, RELEASE_SILENT
from hub.policies import EXTERNAL
from hub.release_decisions import hear
from hub.releases import Release
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again
from tasks.notifying import Sent, changes, notifies, notify, send


@straight
@task(
    name="deployment",
    task_run_name="create deployment {release.id}",
    tags=["github"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def create_deployment(release: Release) -> Deployment:
    """Ask GitHub for the deployment once, whatever dies in between."""
    effect = release.effect("deployment", release.deployment_request())
    github = await account_for(effect, GitHubAccount)
    return await once(effect, terms=github.terms, call=github.create_deployment, find=github.find_deployment)


@straight
@task(
    name="look",
    task_run_name="look at deployment {release.id}",
    tags=["github"],
    persist_result=False,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def look_at_deployment(release: Release) -> None:
    """Ask GitHub how far the deployment is, unless it has to be left alone: a webhook may have been lost."""
    if await is_left_alone(GitHubAccount.provider):
        return
    github = await load_account(GitHubAccount)
    await hear(release, await github.statuses_of(release.request.repository, release.deployment_id or 0))


@straight
@task(
    name="mark",
    task_run_name="mark deployment {release.id}",
    tags=["github"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def mark_deployment(release: Release, owed: Effect) -> Mark:
    """Say at GitHub, once, that nobody has told anything about the deployment for too long."""
    del release  # what makes the cache key
    github = await account_for(owed, GitHubAccount)
    return await once(owed, terms=github.terms, call=github.mark_deployment, find=github.find_mark)


@notifies(RELEASE, "tell team of release {release.id}")
async def post_release(release: Release) -> Sent:
    """Tell the team that there is a release."""
    return await notify(release, RELEASE)


@changes("update", "update message of release {release.id}")
async def update_release(release: Release, owed: Effect) -> Sent:
    """Let the team's message show how far the release is; once per change of its status."""
    del release  # what makes the cache key
    return await send(owed)


@notifies(RELEASE_SILENT, "tell of silence about release {release.id}")
async def tell_of_silence(release: Release) -> Sent:
    """Tell the team, once each time, that the release was given up: a message that only changes calls nobody."""
    return await notify(release, RELEASE_SILENT, number=release.changes)
