"""The doors of a running stack, as a program outside uses them: Prefect's API, the gateway, and the control side of the sandbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.plan import DEFAULT
from deployments import secret_files
from deployments.examples import EXAMPLE_ORDER
from deployments.stack import Stack

POLL_SECONDS = 0.05
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
PAGE = 200
TIMEOUT = aiohttp.ClientTimeout(total=60)
KEEP_SECONDS = 2.0
"""Shorter than the 5 s after which the servers close an idle connection, so that no request meets one that is just being closed."""


class Doors:
    """A running stack, from outside."""

    def __init__(self, prefect: aiohttp.ClientSession, gateway: aiohttp.ClientSession, sandbox: aiohttp.ClientSession) -> None:
        self._prefect, self._gateway, self._sandbox = prefect, gateway, sandbox
        self._default_latencies: dict[str, float] = {}

    async def deployment(self, name: str) -> dict[str, Any]:
        """The deployment ``<flow>/<name>`` as Prefect shows it."""
        return dict(await _asked(self._prefect, "GET", f"/api/deployments/name/{name}"))

    async def deploy(self, flow: str, **declared: Any) -> str:
        """A deployment of ``flow`` exists as ``declared``; returns its id."""
        flow_id = (await _asked(self._prefect, "POST", "/api/flows/", {"name": flow}))["id"]
        return str((await _asked(self._prefect, "POST", "/api/deployments/", {"flow_id": flow_id, **declared}))["id"])

    async def pause(self, deployment: str) -> None:
        """Nothing is started by the schedules of the deployment any more."""
        found = await self.deployment(deployment)
        await _asked(self._prefect, "POST", f"/api/deployments/{found['id']}/pause_deployment")

    async def worker_is_online(self, pool: str) -> bool:
        """Whether a worker of ``pool`` has reported."""
        async with self._prefect.post(f"/api/work_pools/{pool}/workers/filter", json={"limit": 1}) as answer:
            return answer.ok and bool(await answer.json())

    async def start(self, deployment_id: str, parameters: dict[str, Any], job_variables: dict[str, Any] | None = None) -> str:
        """The API call: returns the id of the new run."""
        wanted = {"parameters": parameters, "job_variables": job_variables or {}}
        return str((await _asked(self._prefect, "POST", f"/api/deployments/{deployment_id}/create_flow_run", wanted))["id"])

    async def until_over(self, run_id: str, limit_seconds: float) -> str:
        """The name of the state in which the run ended, or of the one in which it still is after the limit."""
        deadline = time.monotonic() + limit_seconds
        while True:
            run = await _asked(self._prefect, "GET", f"/api/flow_runs/{run_id}")
            if run["state_type"] in ENDED or time.monotonic() > deadline:
                return str(run["state_name"])
            await asyncio.sleep(POLL_SECONDS)

    async def until_all_over(self, run_ids: list[str], limit_seconds: float) -> None:
        """All the runs have ended, or the limit is reached."""
        deadline = time.monotonic() + limit_seconds
        while await self._ended(run_ids) < len(run_ids) and time.monotonic() < deadline:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(4 * POLL_SECONDS)

    async def states_of(self, run_ids: list[str]) -> Counter[str]:
        """How many of the runs stand in which state."""
        found: Counter[str] = Counter()
        for first in range(0, len(run_ids), PAGE):
            some = {"flow_runs": {"id": {"any_": run_ids[first : first + PAGE]}}, "limit": PAGE}
            found.update(run["state_name"] for run in await _asked(self._prefect, "POST", "/api/flow_runs/filter", some))
        return found

    async def _ended(self, run_ids: list[str]) -> int:
        over = {"id": {"any_": run_ids}, "state": {"type": {"any_": ENDED}}}
        return int(await _asked(self._prefect, "POST", "/api/flow_runs/count", {"flow_runs": over}))

    async def cancel(self, run_ids: list[str]) -> None:
        """What of the runs has not ended is on its way to an end."""
        for run_id in run_ids:
            run = await _asked(self._prefect, "GET", f"/api/flow_runs/{run_id}")
            if run["state_type"] not in ENDED:
                wanted = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
                await _asked(self._prefect, "POST", f"/api/flow_runs/{run_id}/set_state", wanted)

    async def put(self, order_id: str) -> None:
        """The order is placed at the gateway, which starts its run."""
        await _asked(self._gateway, "PUT", f"/orders/{order_id}", EXAMPLE_ORDER)

    async def until_confirmed(self, order_id: str, limit_seconds: float) -> bool:
        """Whether the gateway shows the order as confirmed before the limit."""
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            if (await _asked(self._gateway, "GET", f"/orders/{order_id}"))["status"] == "confirmed":
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def set_latency(self, latency: str) -> None:
        """Every provider takes ``latency`` milliseconds, or what it takes by itself."""
        if not self._default_latencies:
            self._default_latencies = await _asked(self._sandbox, "GET", "/_sandbox/latency")
        wanted = {name: by_itself if latency == DEFAULT else float(latency) for name, by_itself in self._default_latencies.items()}
        await _asked(self._sandbox, "POST", "/_sandbox/latency", wanted)

    async def fault(self, provider: str, operation: str, **trouble: Any) -> None:
        """The provider makes the trouble at its next calls."""
        await _asked(self._sandbox, "POST", "/_sandbox/faults", {"provider": provider, "operation": operation, **trouble})

    async def clear_faults(self) -> None:
        """No provider makes trouble at new calls."""
        await _asked(self._sandbox, "DELETE", "/_sandbox/faults")

    async def until_in_flight(self, provider: str, operation: str, number: int, limit_seconds: float) -> None:
        """So many calls are at the provider, which has done what they ask for and has not answered; or the limit is reached."""
        deadline = time.monotonic() + limit_seconds
        place = f"/_sandbox/in-flight?provider={provider}&operation={operation.replace(' ', '+')}"
        while time.monotonic() < deadline:
            if sum(one["worked"] for one in (await _asked(self._sandbox, "GET", place))["requests"]) >= number:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def resume(self, order_id: str) -> None:
        """The order goes on at a person's word, if it waits for anything."""
        async with self._gateway.post(f"/orders/{order_id}/resume") as answer:
            await answer.read()

    async def effects_by_subject(self) -> dict[str, Counter[str]]:
        """What the providers really did, by order."""
        found: dict[str, Counter[str]] = {}
        for effect in (await _asked(self._sandbox, "GET", "/_sandbox/effects"))["effects"]:
            found.setdefault(str(effect["subject"]), Counter())[f"{effect['provider']}.{effect['kind']}"] += 1
        return found


async def _asked(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as answer:
        text = await answer.read()
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None


@asynccontextmanager
async def doors_of(stack: Stack) -> AsyncIterator[Doors]:
    """The doors of ``stack``, which rehearses and therefore asks for no auth string."""
    gateway = {"Authorization": f"Bearer {secret_files.gateway_key(stack.home)}"}
    sandbox = {"Authorization": f"Bearer {secret_files.sandbox_token(stack.home)}"}
    async with (
        _session(stack.prefect_url) as to_prefect,
        _session(stack.gateway_url, gateway) as to_gateway,
        _session(stack.layout.sandbox_url, sandbox) as to_sandbox,
    ):
        yield Doors(to_prefect, to_gateway, to_sandbox)


def _session(url: str, headers: dict[str, str] | None = None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_SECONDS)
    return aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=TIMEOUT)
