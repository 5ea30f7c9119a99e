"""The GitHub account at the sandbox: deployments, marks, refusals, troubles, and deliveries that did not get through."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from blocks.github_account import GitHubAccount
from hub.deploying import DeploymentRequest, Hook, MarkRequest
from hub.errors import Misconfigured, RateLimited, Refused
from tests.contract.account_kit import (
    TROUBLES,
    Trouble,
    fails,
    gives_up_on_a_slow_answer,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_receiver import Receiver

TOKEN = "github_pat_rehearsal_account"
KEY = "3f1c0000-0000-4000-8000-000000000001:release:r-1:deployment:1"
OTHER = KEY.replace("r-1", "r-2")
MARK = KEY.replace("deployment", "mark.2")
HOOK = Hook(repository="example/shop", hook_id=100_000_001)


@pytest_asyncio.fixture(loop_scope="session")
async def github(sandbox: Sandbox) -> GitHubAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, token: str = TOKEN, timeout_seconds: float = 5, **more: Any) -> GitHubAccount:
    return GitHubAccount(api_key=token, base_url=f"{url}/github", timeout_seconds=timeout_seconds, **more)


def a_deployment(**changes: Any) -> DeploymentRequest:
    fields = {
        "repository": "example/shop",
        "ref": "main",
        "environment": "production",
        "required_contexts": (),
        "description": "Release r-1",
    }
    return DeploymentRequest(**{**fields, "metadata": {"release_id": "r-1"}, **changes})


def a_mark(deployment_id: int) -> MarkRequest:
    return MarkRequest(repository="example/shop", deployment_id=deployment_id, state="error", description="Nothing was heard.")


async def test_a_deployment_is_made_as_asked_and_found_by_our_reference(sandbox: Sandbox, github: GitHubAccount) -> None:
    assert await github.find_deployment(a_deployment(), key=KEY, since=long_ago()) is None

    made = await github.create_deployment(a_deployment(), key=KEY)

    assert await github.find_deployment(a_deployment(), key=KEY, since=long_ago()) == made
    for other in (a_deployment(environment="staging"), a_deployment(ref="topic")):
        assert await github.find_deployment(other, key=KEY, since=long_ago()) is None
    assert await github.find_deployment(a_deployment(), key=OTHER, since=long_ago()) is None
    [kept] = await sandbox.objects("github", "deployment")
    assert (kept["id"], kept["payload"]) == (made.deployment_id, {"release_id": "r-1", "effect": KEY})
    assert [effect["subject"] for effect in await sandbox.effects("github", "deployment")] == ["r-1"]


async def test_it_is_found_behind_a_hundred_others(github: GitHubAccount) -> None:
    made = await github.create_deployment(a_deployment(), key=KEY)
    for _ in range(100):
        await github.create_deployment(a_deployment(), key=OTHER)

    assert await github.find_deployment(a_deployment(), key=KEY, since=long_ago()) == made


async def test_nothing_is_merged_on_the_way(github: GitHubAccount) -> None:
    assert (await github.create_deployment(a_deployment(ref="behind"), key=KEY)).deployment_id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ref": "conflicting"}, "merge_conflict"),
        ({"required_contexts": ("ci/tests", "red/lint")}, "failed_contexts"),
        ({"ref": "no-such-ref"}, "no_such_ref"),
        ({"ref": ""}, "unprocessable"),
    ],
)
async def test_what_github_does_not_deploy_is_a_refusal_by_name(
    sandbox: Sandbox, github: GitHubAccount, changes: dict[str, Any], code: str
) -> None:
    refusal = await fails(lambda: github.create_deployment(a_deployment(**changes), key=KEY), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == code
    assert await sandbox.count("github", "deployment") == 0


async def test_a_mark_stands_at_github_and_is_found_by_our_reference(sandbox: Sandbox, github: GitHubAccount) -> None:
    made = await github.create_deployment(a_deployment(), key=KEY)
    assert await github.find_mark(a_mark(made.deployment_id), key=MARK, since=long_ago()) is None

    mark = await github.mark_deployment(a_mark(made.deployment_id), key=MARK)

    assert await github.find_mark(a_mark(made.deployment_id), key=MARK, since=long_ago()) == mark
    assert await github.find_mark(a_mark(made.deployment_id), key=OTHER, since=long_ago()) is None
    [status] = await sandbox.objects("github", "status")
    assert (status["id"], status["state"]) == (mark.status_id, "error")


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_has_its_error(sandbox: Sandbox, github: GitHubAccount, trouble: Trouble) -> None:
    async def create(timeout_seconds: float) -> Any:
        return await an_account(sandbox.url, timeout_seconds=timeout_seconds).create_deployment(a_deployment(), key=KEY)

    del github  # it has cleaned up
    await survives(trouble, sandbox, ("github", "create deployment", "deployment"), create)


@pytest.mark.parametrize(
    ("status", "body", "seconds"),
    [
        (403, {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}, 60),
        (429, {"message": "API rate limit exceeded"}, 60),
    ],
)
async def test_a_limit_without_a_time_asks_for_a_minute(
    sandbox: Sandbox, github: GitHubAccount, status: int, body: dict[str, Any], seconds: float
) -> None:
    await sandbox.fault("github", "create deployment", "status", status=status, body=body)

    limit = await fails(lambda: github.create_deployment(a_deployment(), key=KEY), RateLimited)

    assert isinstance(limit, RateLimited)
    assert limit.retry_after_seconds == seconds


async def test_a_revoked_token_and_a_strange_repository_are_ours_to_mend(sandbox: Sandbox, github: GitHubAccount) -> None:
    await fails(lambda: github.mark_deployment(a_mark(1), key=MARK), Misconfigured)

    await sandbox.revoke("github", TOKEN)

    await fails(lambda: github.create_deployment(a_deployment(), key=KEY), Misconfigured)
    await fails(github.check, Misconfigured)


async def test_it_says_who_we_are(github: GitHubAccount) -> None:
    assert await github.check() == "GitHub knows us as hub-rehearsal."


async def test_accounts_with_the_same_token_share_their_connections(sandbox: Sandbox) -> None:
    await shares_one_pool(lambda: an_account(sandbox.url), lambda: an_account(sandbox.url, TOKEN + "2"))


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).create_deployment(a_deployment(), key=KEY))


async def test_nothing_is_sent_after_the_send_window(sandbox: Sandbox, github: GitHubAccount) -> None:
    await keeps_the_send_window(sandbox, "github", lambda: github.create_deployment(a_deployment(), key=KEY))


async def test_an_answer_that_drips_is_given_up() -> None:
    def verb_at(url: str) -> Any:
        return lambda: an_account(url, timeout_seconds=0.5).create_deployment(a_deployment(), key=KEY)

    await gives_up_on_a_slow_answer(verb_at, timeout_seconds=0.5)


async def test_only_deliveries_that_failed_lately_are_listed_and_each_can_be_had_again(both: tuple[Sandbox, Receiver]) -> None:
    sandbox, receiver = both
    github = an_account(sandbox.url)
    made = await github.create_deployment(a_deployment(), key=KEY)
    await receiver.until_count(1, "github")
    await sandbox.webhooks_misbehave("github", drop=True)
    for state in ("in_progress", "success"):
        await sandbox.world(f"github/deployments/{made.deployment_id}", state=state)

    failed = await github.failed_deliveries(HOOK, kind="deployment_status", newer_than=long_ago())
    assert len(failed) == 2
    assert await github.failed_deliveries(HOOK, kind="deployment_status", newer_than=failed[-1].delivered_at) == []
    assert await github.failed_deliveries(HOOK, kind="deployment", newer_than=long_ago()) == []

    await github.redeliver(HOOK, failed[0].delivery_id)

    again = (await receiver.until_count(2, "github"))[1]
    assert again.headers["X-GitHub-Delivery"] == failed[0].guid
    await fails(lambda: github.redeliver(HOOK, 1), Misconfigured)
