"""What the sweep forgets because it is old: what was in notices, and the results of runs."""

from __future__ import annotations

import asyncio

from prefect import get_run_logger, task

from hub.inbox import clear_old_content
from hub.policies import INTERNAL
from hub.result_files import delete_old_results
from hub.settings import settings
from tasks.memory import worth_another_transaction


@task(name="forget-old-content", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def forget_old_content() -> int:
    """Clear what was in notices that were over long ago; returns how many."""
    cleared = await clear_old_content()
    if cleared:
        get_run_logger().info("the content of %d old notices was cleared; that they came stays known", cleared)
    return cleared


@task(name="delete-old-results", persist_result=False, **INTERNAL.task_options())
async def forget_old_results() -> int:
    """Delete results that are older than ``HUB_RESULT_DAYS``; returns how many. Where they are kept elsewhere, there are none."""
    deleted = await asyncio.to_thread(delete_old_results, settings().home, settings().result_days)
    if deleted:
        get_run_logger().info("%d old results were deleted", deleted)
    return deleted
