"""The local stack, started once for all sentences here, and stopped by the last one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from deployments.layout import PROJECT
from deployments.problems import Problem
from deployments.processes import marked
from deployments.roles import credentials
from deployments.stack import Stack, local_stack

ROLES = {"database", "prefect-server", "worker", "gateway", "sandbox"}
pytestmark = pytest.mark.timeout(300)


class Running:
    """The stack under test, and what it has said."""

    def __init__(self) -> None:
        self.exit = AsyncExitStack()
        self.said: list[str] = []
        self.stack: Stack

    async def start(self, home: Path) -> None:
        self.stack = await self.exit.enter_async_context(local_stack(home, free_ports=True, say=self.said.append))

    def client(self) -> httpx.AsyncClient:
        auth = credentials(self.stack.layout.auth)
        return httpx.AsyncClient(base_url=f"{self.stack.prefect_url}/api", auth=auth, timeout=20, trust_env=False)


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Running]:
    home = Path(tempfile.mkdtemp(prefix="hub-stack-"))
    running = Running()
    try:
        await running.start(home)
        yield running
    finally:
        await running.exit.aclose()
        shutil.rmtree(home)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.1)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_every_role_is_alive_and_says_when_it_was_ready(running: Running) -> None:
    assert set(running.stack.running) == ROLES
    assert all(alive(running.stack.pid(role)) for role in ROLES)
    assert all(int((running.stack.home / "run" / f"{role}.pid").read_text()) == running.stack.pid(role) for role in ROLES)
    assert all(any(line.split()[0] == role and "ready after" in line for line in running.said) for role in ROLES)
    assert set(running.stack.modes.values()) == {"rehearsal"}


async def test_the_deployments_are_there_once_and_the_janitor_has_a_queue_without_limit(running: Running) -> None:
    async with running.client() as prefect:
        deployed = (await prefect.post("/deployments/filter", json={})).raise_for_status().json()
        queues = (await prefect.post("/work_pools/hub/queues/filter", json={})).raise_for_status().json()

    by_entrypoint = {one["entrypoint"]: one for one in deployed}
    sweep = by_entrypoint["flows.sweep.sweep"]
    assert by_entrypoint["flows.process_order.process_order"]["work_queue_name"] == "default"
    assert sweep["work_queue_name"] == "janitor"
    assert [schedule["schedule"]["interval"] for schedule in sweep["schedules"]] == [30]
    assert {queue["name"]: queue["concurrency_limit"] for queue in queues} == {"default": None, "janitor": None}


async def test_the_schedule_plans_the_next_sweeps_without_being_asked(running: Running) -> None:
    async def planned() -> bool:
        async with running.client() as prefect:
            runs = (await prefect.post("/flow_runs/filter", json={"flows": {"name": {"any_": ["sweep"]}}})).raise_for_status().json()
        return any("auto-scheduled" in run["tags"] for run in runs)

    await until(planned, seconds=30)


async def test_a_page_of_another_origin_reaches_nothing(running: Running) -> None:
    elsewhere = {"Origin": "http://elsewhere.example"}
    async with running.client() as prefect:
        asked = await prefect.options("/block_documents/filter", headers=elsewhere | {"Access-Control-Request-Method": "POST"})
        simple = await prefect.post("/block_documents/filter", json={"include_secrets": True}, headers=elsewhere)
        renamed = await prefect.get("/health", headers={"Host": f"elsewhere.example:{running.stack.layout.prefect_port}"})
        own = await prefect.post("/block_documents/filter", json={}, headers={"Origin": running.stack.prefect_url})

    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in simple.headers
    assert (simple.status_code, renamed.status_code) == (403, 400)
    assert own.headers["access-control-allow-origin"] == running.stack.prefect_url


async def test_what_is_secret_is_readable_by_its_owner_only(running: Running) -> None:
    files = [running.stack.home / "stack.json", *(running.stack.home / "secrets").iterdir()]

    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_the_commands_environment_names_the_stack_and_does_not_mark_its_reader(running: Running) -> None:
    environment = running.stack.environment

    assert environment["PREFECT_API_URL"] == f"{running.stack.prefect_url}/api"
    assert environment["HUB_DATABASE_URL"].startswith("postgresql+asyncpg://")
    assert "HUB_STACK_ID" not in environment


async def test_a_second_start_says_that_one_is_running(running: Running) -> None:
    second = await hub_up(running.stack.home)

    assert second.returncode == 1
    assert f"already running (pid {os.getpid()}" in second.stderr
    assert running.stack.gateway_url in second.stderr
    assert "Traceback" not in second.stderr
    assert all(alive(running.stack.pid(role)) for role in ROLES)


async def test_a_port_in_use_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as taken, socket.socket() as other, socket.socket() as third:
        for one in (taken, other, third):
            one.bind(("127.0.0.1", 0))
        taken.listen()
        port, free, also_free = (one.getsockname()[1] for one in (taken, other, third))
        other.close()
        third.close()
        outcome = await hub_up(
            tmp_path / "hub",
            PREFECT_SERVER_API_PORT=str(free),
            HUB_SANDBOX_URL=f"http://127.0.0.1:{also_free}",
            HUB_GATEWAY_URL=f"http://127.0.0.1:{port}",
        )

    assert outcome.returncode == 1
    assert f"Port {port} for the gateway is in use" in outcome.stderr
    assert "HUB_GATEWAY_URL" in outcome.stderr
    assert not (tmp_path / "hub" / "postgres").exists()


@pytest.mark.parametrize("role", ["worker", "prefect-server", "database"])
async def test_a_killed_role_is_started_again(running: Running, role: str) -> None:
    killed = running.stack.pid(role)
    os.kill(killed, signal.SIGKILL)

    async def back() -> bool:
        return any(line.startswith(f"  {role} is back") for line in running.said)

    await until(back, seconds=60)
    assert running.stack.pid(role) != killed
    assert not alive(killed)
    assert any(f"{role} (pid {killed}) killed by SIGKILL" in line for line in running.said)


async def test_a_role_that_does_not_exist_is_said_to_be_none(running: Running) -> None:
    with pytest.raises(Problem, match="no role 'cook'"):
        running.stack.pid("cook")


async def test_nothing_is_left_after_the_end_also_not_what_was_killed(running: Running) -> None:
    pids = {role: running.stack.pid(role) for role in ROLES}
    stray = await asyncio.create_subprocess_exec(  # like a flow run: marked, in a session of its own
        sys.executable,
        "-c",
        "input()",
        stdin=subprocess.PIPE,
        env=running.stack.layout.role_environment(running.stack.databases),
        start_new_session=True,
    )

    await running.exit.aclose()

    assert await asyncio.wait_for(stray.wait(), 5) != 0
    assert not any(alive(pid) for pid in pids.values())
    assert marked(running.stack.layout.marker) == []
    assert not (running.stack.home / "stack.json").exists()
    assert list((running.stack.home / "run").glob("*.pid")) == []


class Outcome:
    """How a command ended."""

    def __init__(self, returncode: int | None, stderr: bytes) -> None:
        self.returncode, self.stderr = returncode, " ".join(stderr.decode().split())


async def hub_up(home: Path, **settings: str) -> Outcome:
    command = (sys.executable, "-c", "from deployments.command_line import app; app(['up'])")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"HUB_HOME": str(home)} | settings, cwd=PROJECT
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    return Outcome(process.returncode, stderr)
