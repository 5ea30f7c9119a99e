"""Work pools of a test's own on the shared hub, with deployments of `warm_flows` and warm workers with settings of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from deployments.layout import PROJECT
from tests.journeys.hub_under_test import Hub, until


class Pool:
    """A work pool and what is deployed to it."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name

    async def start(self, flow: str, *, queue: str = "default", limit: int | None = None, **parameters: Any) -> str:
        """Start a run of ``tests.journeys.warm_flows.<flow>``, or of a whole module path, and return its id."""
        entrypoint = flow if "." in flow else f"tests.journeys.warm_flows.{flow}"
        flow_id = (await self.hub.prefect.post("/flows/", json={"name": flow})).raise_for_status().json()["id"]
        declared = {
            "name": f"{self.name}-{queue}-{limit}",
            "flow_id": flow_id,
            "entrypoint": entrypoint,
            "work_pool_name": self.name,
            "work_queue_name": queue,
            "enforce_parameter_schema": False,
            "concurrency_limit": limit,
        }
        deployment = (await self.hub.prefect.post("/deployments/", json=declared)).raise_for_status().json()["id"]
        begun = await self.hub.prefect.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters})
        return str(begun.raise_for_status().json()["id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        return dict((await self.hub.prefect.get(f"/flow_runs/{run_id}")).raise_for_status().json())

    async def until_state(self, run_id: str, *names: str, seconds: float = 30) -> dict[str, Any]:
        """Return the run once its state has one of these names."""
        latest: dict[str, Any] = {}

        async def there() -> bool:
            latest.update(await self.run(run_id))
            return latest["state"]["name"] in names

        await until(there, seconds=seconds, what=lambda: f"run {run_id} to be {names}, but {latest['state']}")
        return latest

    async def set_state(self, run_id: str, **state: Any) -> None:
        answer = await self.hub.prefect.post(f"/flow_runs/{run_id}/set_state", json={"state": state})
        assert answer.raise_for_status().json()["status"] == "ACCEPT", answer.json()

    async def until_logged(self, run_id: str, words: str, *, seconds: float = 15) -> None:
        """Return once a line with ``words`` is among the run's logs at Prefect's server."""
        lines: list[str] = []

        async def there() -> bool:
            answer = await self.hub.prefect.post("/logs/filter", json={"logs": {"flow_run_id": {"any_": [run_id]}}})
            lines[:] = [line["message"] for line in answer.raise_for_status().json()]
            return any(words in line for line in lines)

        await until(there, seconds=seconds, what=lambda: f"{words!r} in {lines}")


class Worker:
    """A warm worker as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.said = process, ""
        self._reading = asyncio.create_task(self._read())

    async def until_said(self, words: str, *, seconds: float = 30) -> None:
        async def said() -> bool:
            return words in self.said

        await until(said, seconds=seconds, what=lambda: f"{words!r} in {self.said}")

    async def ends(self, *, seconds: float = 30) -> int:
        """Return its exit code."""
        code = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reading
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said += line.decode()


async def a_pool(hub: Hub, name: str, *queues: str) -> Pool:
    (await hub.prefect.post("/work_pools/", json={"name": name, "type": "hub-warm"})).raise_for_status()
    for queue in queues:
        (await hub.prefect.post(f"/work_pools/{name}/queues", json={"name": queue})).raise_for_status()
    return Pool(hub, name)


@asynccontextmanager
async def a_worker(pool: Pool, *arguments: str, command: tuple[str, ...] | None = None, **settings: str) -> AsyncIterator[Worker]:
    """A warm worker of the pool while the block runs, ready at its beginning and surely gone after it."""
    stack = pool.hub.stack
    process = await asyncio.create_subprocess_exec(
        *(command or (sys.executable, "-m", "deployments.warm", "--pool", pool.name)),
        *arguments,
        env=stack.environment | {"PYTHONUNBUFFERED": "1"} | settings,  # unmarked, so that `Hub.kill_workers` does not find it
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    worker = Worker(process)
    try:
        await worker.until_said(" started!")
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
        await worker.ends()
        print(worker.said)  # noqa: T201 - shown when the test fails


def span(run: dict[str, Any]) -> tuple[datetime, datetime]:
    """From when to when the run ran."""
    return datetime.fromisoformat(run["start_time"]), datetime.fromisoformat(run["end_time"])
