"""A real gateway in a process of its own, for tests: started on a free port, asked over HTTP; its log can be read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.ports import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Gateway:
    """A running gateway. ``http`` asks it without a key."""

    url: str
    pid: int
    log_file: Path
    http: httpx.AsyncClient

    def log(self) -> str:
        """Everything that it has logged so far."""
        return self.log_file.read_text(errors="replace")

    def with_key(self, key: str) -> httpx.AsyncClient:
        """Return a client that shows ``key``; close it after use."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)


@asynccontextmanager
async def running_gateway(
    home: Path, *, database_url: str, prefect_url: str | None = None, public_url: str | None = None, only: str | None = None
) -> AsyncIterator[Gateway]:
    """Run a gateway, or ``only`` one part of it, on ``home`` and stop it afterwards; without a ``prefect_url`` its Prefect is down."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment on a local disk, in a test
    port, nobody = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "HUB_HOME": str(home),
        "HUB_DATABASE_URL": database_url,
        "HUB_PUBLIC_URL": public_url or "",
        "PREFECT_API_URL": prefect_url or f"http://127.0.0.1:{nobody}/api",
    }
    log_file = home / "gateway.log"
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "--host", "127.0.0.1", "--port", str(port), *(("--only", only) if only else ())),
            cwd=ROOT,
            env={**environment, "PREFECT_HOME": str(home / "prefect")},
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            await _until_it_answers(client, process, log_file)
            yield Gateway(url, process.pid, log_file, client)
    finally:
        await _stop(process)


async def command(*arguments: str, fails: bool = False, **environment: str) -> str:
    """What the `hub` command prints to a person, or what it complains about."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "hub",
        *arguments,
        env={**os.environ, **environment, "COLUMNS": "300"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode != 0) is fails, out + err
    return (err if fails else out).decode()


async def _until_it_answers(client: httpx.AsyncClient, process: asyncio.subprocess.Process, log_file: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.returncode is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            await client.get("/health")
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the gateway did not start: {log_file.read_text()}")  # noqa: ASYNC240 - the test is over anyway


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
