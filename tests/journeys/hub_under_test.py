"""A whole hub for journeys: the stack of `hub up` on free ports, driven through its doors, with a look into its databases."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from deployments import roles, secret_files
from deployments.examples import EXAMPLE_ORDER
from deployments.layout import PROJECT
from deployments.processes import alive, gone_within, marked
from deployments.stack import Stack, local_stack
from hub.gate_views import PROVIDERS
from tests.contract.sandbox_process import SandboxControl, sandbox_control

CONFIRMED = Counter({"stripe.charge": 1, "shippo.label": 1, "sendgrid.mail": 1, "slack.message": 1, "warehouse.pick_ticket": 1})
UNDONE = Counter(
    {
        "stripe.refund": 1,
        "shippo.refund": 1,
        "sendgrid.mail": 1,
        "slack.message": 1,
        "slack.message_updated": 1,
        "warehouse.pick_ticket_cancelled": 1,
    }
)
"""What the providers do until an order is confirmed, and when its customer cancels it after that; with ``pick_tickets`` on."""
SWEEP_SECONDS = 5.0
"""How often `sweep` runs in a hub under test: a sixth of the real interval."""
APPROVER, SECOND_APPROVER = "slack:U0ADA", "slack:U0BOB"
"""Who may approve refunds, and press buttons, in a hub under test."""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def an_order(**changes: Any) -> dict[str, Any]:
    return {**EXAMPLE_ORDER, **changes}


class Hub:
    """A running hub. Orders go in and come out over HTTP, as for anybody else."""

    def __init__(
        self, stack: Stack, said: list[str], gateway: httpx.AsyncClient, prefect: httpx.AsyncClient, sandbox: SandboxControl
    ) -> None:
        self.stack, self.said, self.gateway, self.prefect, self.sandbox = stack, said, gateway, prefect, sandbox

    async def place(self, order_id: str, **changes: Any) -> httpx.Response:
        return await self.gateway.put(f"/orders/{order_id}", json=an_order(**changes))

    async def order(self, order_id: str) -> dict[str, Any]:
        answer = await self.gateway.get(f"/orders/{order_id}")
        return dict(answer.raise_for_status().json())

    async def until_status(self, order_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
        """Return the order once it stands at one of ``statuses`` and no run of it is due."""
        return await self.until_order(order_id, lambda order: order["status"] in statuses and order["resumeAt"] is None, seconds=seconds)

    async def until_order(self, order_id: str, condition: Callable[[dict[str, Any]], bool], *, seconds: float = 60) -> dict[str, Any]:
        """Return the order once ``condition`` holds for it."""
        latest: dict[str, Any] = {}

        async def there() -> bool:
            latest.update(await self.order(order_id))
            return condition(latest)

        await until(there, seconds=seconds, what=lambda: f"{order_id}, but {latest}")
        return latest

    async def run(self, parameters: dict[str, Any], *, deployment: str = "process-order/hub", seconds: float = 60) -> dict[str, Any]:
        """Start a run through Prefect's API and return it when it is over."""
        run_id = await self.start(parameters, deployment=deployment)
        return await self.until_over(run_id, seconds=seconds)

    async def start(self, parameters: dict[str, Any], *, deployment: str = "process-order/hub") -> str:
        found = (await self.prefect.get(f"/deployments/name/{deployment}")).raise_for_status().json()
        begun = await self.prefect.post(f"/deployments/{found['id']}/create_flow_run", json={"parameters": parameters})
        return str(begun.raise_for_status().json()["id"])

    @asynccontextmanager
    async def paused(self, deployment: str) -> AsyncIterator[None]:
        """Nothing is started by the deployment's schedules while the block runs."""
        found = (await self.prefect.get(f"/deployments/name/{deployment}")).raise_for_status().json()
        (await self.prefect.post(f"/deployments/{found['id']}/pause_deployment")).raise_for_status()
        try:
            yield
        finally:
            (await self.prefect.post(f"/deployments/{found['id']}/resume_deployment")).raise_for_status()

    @asynccontextmanager
    async def without_breakers(self) -> AsyncIterator[None]:
        """The failures of some cases close no gate to the others while the block runs."""
        async with self.database() as database:
            for provider in PROVIDERS:
                off = "INSERT INTO provider_gates (provider, breaks) VALUES ($1, false) ON CONFLICT (provider) DO UPDATE SET breaks = false"
                await database.execute(off, provider)
        try:
            yield
        finally:
            async with self.database() as database:
                await database.execute("DELETE FROM provider_gates")

    async def until_over(self, run_id: str, *, seconds: float = 60) -> dict[str, Any]:
        latest: dict[str, Any] = {}

        async def over() -> bool:
            latest.update((await self.prefect.get(f"/flow_runs/{run_id}")).raise_for_status().json())
            return latest["state"]["type"] in ENDED

        await until(over, seconds=seconds, what=lambda: f"run {run_id} to end, but {latest.get('state')}")
        return latest

    async def task_states(self, run_id: str, *, at_least: int) -> dict[str, str]:
        """Return the state names of a run's tasks; they reach Prefect's server through events, a moment after the run."""
        latest: dict[str, str] = {}

        async def arrived() -> bool:
            body = {"flow_runs": {"id": {"any_": [run_id]}}}
            tasks = (await self.prefect.post("/task_runs/filter", json=body)).raise_for_status().json()
            latest.clear()
            latest.update({task["name"].rsplit(" ", 1)[0]: task["state_name"] for task in tasks})
            return len(latest) >= at_least and not {"Pending", "Running"} & set(latest.values())

        await until(arrived, seconds=20, what=lambda: f"{at_least} tasks, but {latest}")
        return latest

    async def runs_of_handle_notices(self, *states: str) -> int:
        """Return how many there are, or how many of them are in one of ``states``."""
        asked = {"flows": {"name": {"any_": ["handle-notices"]}}}
        narrowed = {"flow_runs": {"state": {"type": {"any_": list(states)}}}} if states else {}
        return int((await self.prefect.post("/flow_runs/count", json=asked | narrowed)).raise_for_status().json())

    async def until_nobody_watches_the_inbox(self) -> None:
        """Return once what comes in next needs a nudge."""

        async def nobody() -> bool:
            return await self.runs_of_handle_notices("SCHEDULED", "PENDING", "RUNNING") == 0

        await until(nobody, seconds=20, what=lambda: "runs of handle-notices to end")

    async def seen(self, order_id: str) -> Counter[str]:
        """What the providers did for the order."""
        return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await self.sandbox.effects(subject=order_id))

    async def command(self, program: str, *arguments: str) -> str:
        """Run a command as a person would who has the stack's addresses, and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / program,
            *arguments,
            env=self.stack.environment | {"COLUMNS": "200"},
            cwd=PROJECT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == 0, err.decode()
        return out.decode()

    def key(self, provider: str) -> str:
        return secret_files.rehearsal_keys(self.stack.home)[provider]

    async def kill_workers(self) -> list[int]:
        """Kill -9 the worker and every process that runs a flow, show that they are gone, and return their pids."""
        doomed = list({process.pid: process for process in [psutil.Process(self.stack.pid("worker")), *self.flow_processes()]}.values())
        for process in doomed:
            os.kill(process.pid, signal.SIGKILL)
        assert await gone_within(doomed, 5) == []
        pids = [process.pid for process in doomed]
        print(f"killed -9 and gone: {pids}")  # noqa: T201 - the pids are part of the proof
        assert not any(alive(process) for process in doomed)
        return pids

    async def kill(self, role: str) -> psutil.Process:
        """Kill -9 what plays the role, show that it is gone, and return what it was; the stack starts another."""
        doomed = psutil.Process(self.stack.pid(role))
        os.kill(doomed.pid, signal.SIGKILL)
        assert await gone_within([doomed], 5) == []
        return doomed

    @asynccontextmanager
    async def no_prefect(self) -> AsyncIterator[None]:
        """Prefect's server is killed, stays away while the block runs, and answers again after it."""
        await self.kill("prefect-server")
        await self.stack.stop("prefect-server")  # nobody starts it again
        yield
        await self.stack.start(roles.prefect_server(self.stack.layout, self.stack.databases))

    def flow_processes(self) -> list[psutil.Process]:
        """What runs flows: the warm worker itself, or the engines of the process worker."""
        engines = ("prefect.engine", "deployments.warm")
        return [one for one in marked(self.stack.layout.marker) if any(engine in one.cmdline() for engine in engines)]

    @asynccontextmanager
    async def database(self, name: str = "hub") -> AsyncIterator[asyncpg.Connection]:
        connection = await self.connect(name)
        try:
            yield connection
        finally:
            await connection.close()

    async def connect(self, name: str = "hub") -> asyncpg.Connection:
        """Return a connection to the hub's database, or to ``prefect``'s."""
        url = self.stack.databases.hub if name == "hub" else self.stack.databases.prefect
        host = httpx.URL(url.replace("postgresql+asyncpg", "http", 1)).params["host"]
        return await asyncpg.connect(host=host, user="postgres", database=name)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float, what: Callable[[], str] = str) -> None:
    """Return once ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what()}"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def running_hub(*, sweep_seconds: float, **settings: Any) -> AsyncIterator[Hub]:
    """A whole hub while the block runs, in a folder of its own."""
    home, said = Path(tempfile.mkdtemp(prefix="hub-")), []
    try:
        async with local_stack(home, free_ports=True, say=said.append, sweep_seconds=sweep_seconds, settings=settings) as stack:
            facts = json.loads((home / "stack.json").read_text())
            bearer = {"Authorization": f"Bearer {facts['gateway_key']}"}
            async with (
                httpx.AsyncClient(base_url=stack.gateway_url, headers=bearer, timeout=20, trust_env=False) as gateway,
                httpx.AsyncClient(base_url=f"{stack.prefect_url}/api", timeout=20, trust_env=False) as prefect,
                sandbox_control(stack.layout.sandbox_url, facts["sandbox_token"]) as sandbox,
            ):
                yield Hub(stack, said, gateway, prefect, sandbox)
    finally:
        shutil.rmtree(home, ignore_errors=True)
