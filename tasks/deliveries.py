"""GitHub never sends a webhook twice by itself: those that did not get through are asked for again."""

from __future__ import annotations

from prefect import get_run_logger, task

from blocks.accounts import load_account
from blocks.github_account import GitHubAccount
from hub.deploying import Hook
from hub.errors import ProviderError
from hub.gate_views import is_left_alone
from hub.hook_looks import AT_ONCE, begin_look, end_look, not_here
from hub.policies import INTERNAL
from tasks.memory import worth_another_transaction

KIND = "deployment_status"
"""The only kind of event that anything follows from."""


@task(name="ask-for-missed-deliveries", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def ask_for_missed_deliveries() -> int:
    """Have what failed to reach us since the last look delivered once more; returns how many. What goes wrong waits for the next look."""
    try:
        github = await load_account(GitHubAccount)
    except ProviderError as error:
        get_run_logger().debug("no deliveries are asked for: %s", error)
        return 0
    if not github.watched_hooks or await is_left_alone(github.provider):
        return 0
    return sum([await _ask(github, hook) for hook in github.watched_hooks])


async def _ask(github: GitHubAccount, hook: Hook) -> int:
    newer_than = await begin_look(hook)
    if newer_than is None:
        return 0
    asked = 0
    try:
        failed = await github.failed_deliveries(hook, kind=KIND, newer_than=newer_than)
        for missed in (await not_here(github.provider, failed))[:AT_ONCE]:
            await github.redeliver(hook, missed.delivery_id)
            asked += 1
            await end_look(hook, missed.delivered_at)
    except ProviderError as error:
        get_run_logger().warning("%s: %s", hook, error)
    if asked:
        get_run_logger().info("%s: %d webhooks that had not got through are delivered again", hook, asked)
    return asked
