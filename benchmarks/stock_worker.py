"""The same flow on Prefect's own process worker: a second work pool of the same stack, so that only the worker differs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.doors import Doors
from deployments.layout import PROJECT
from deployments.roles import WORKER_QUERY_SECONDS
from deployments.stack import Stack
from deployments.supervisor import Role

ROLE = POOL = "stock-worker"
COMMAND_NAMED = {"command": "python -m prefect.engine"}
"""Job variables that spare each run one start of Python: without a command, the flow's workspace is resolved in one more process."""
COPIED = ("entrypoint", "path", "pull_steps", "parameter_openapi_schema", "enforce_parameter_schema")


@asynccontextmanager
async def stock_worker(stack: Stack, doors: Doors) -> AsyncIterator[str]:
    """
    A stock worker is online while the block runs; yields the id of the deployment of ``process_order`` on it.

    The pool is as the worker makes it. Not stock: the poll, 1 s instead of 10, as ours has it.
    """

    async def online(started_at: float) -> bool:
        del started_at  # the pool is new, and so is whoever works on it
        return await doors.worker_is_online(POOL)

    role = Role(
        name=ROLE,
        command=(sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", ROLE, "--type", "process"),
        environment={"PREFECT_WORKER_QUERY_SECONDS": WORKER_QUERY_SECONDS} | stack.layout.role_environment(stack.databases),
        directory=PROJECT,
        ready=online,
    )
    await stack.start(role)
    try:
        ours = await doors.deployment("process-order/hub")
        yield await doors.deploy("process-order", name="stock", work_pool_name=POOL, **{name: ours[name] for name in COPIED})
    finally:
        await stack.stop(ROLE)
