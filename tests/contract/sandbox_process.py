"""A real sandbox in a process of its own, for tests: started on a free port, asked over HTTP, killed when a test wants it dead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
PROVIDERS = ("stripe", "sendgrid", "shippo", "slack", "twilio", "profiles", "github", "warehouse")
WAREHOUSE_SECRET = "whsec_cmVoZWFyc2FsLXdhcmVob3VzZS1sZWRnZXIuLg=="


@dataclass(frozen=True)
class Webhooks:
    """Where a sandbox calls back, ``url``/<provider> ("" for nobody), and the secrets by provider; waits are quicker than its own."""

    url: str
    secrets: Mapping[str, str]
    wait_ms: str = "0-5"
    retry_seconds: float = 0.05

    def options(self, secrets_file: Path) -> list[str]:
        secrets_file.write_text(json.dumps(dict(self.secrets)))
        given = {"--webhooks-url": self.url, "--webhook-secrets": secrets_file, "--webhook-wait": self.wait_ms}
        return [str(part) for pair in given.items() for part in pair] + ["--webhook-retry-seconds", str(self.retry_seconds)]


class SandboxControl:
    """The control side of a sandbox. ``url`` is where it listens, ``token`` what its control API wants."""

    def __init__(self, url: str, token: str, client: httpx.AsyncClient) -> None:
        self.url, self.token = url, token
        self._client = client

    async def effects(
        self, provider: str | None = None, kind: str | None = None, subject: str | None = None, since: int = 0
    ) -> list[dict[str, Any]]:
        """What really happened, oldest first."""
        found = await self._get("effects", provider=provider, kind=kind, subject=subject, since=since)
        return list(found["effects"])

    async def count(self, provider: str, kind: str, subject: str | None = None) -> int:
        """How often it really happened."""
        return len(await self.effects(provider, kind, subject))

    async def fault(self, provider: str, operation: str, what: str, when: str = "before", times: int | None = 1, **more: Any) -> str:
        """Order trouble; ``more`` is seconds, status, retry_after, body, role, match. Returns the fault's id."""
        order = {"provider": provider, "operation": operation, "what": what, "when": when, "times": times, **more}
        return str((await self._post("faults", order))["id"])

    async def faults(self) -> list[dict[str, Any]]:
        """The ordered faults and how often they fired."""
        return list((await self._get("faults"))["faults"])

    async def release(self, fault_id: str) -> None:
        """Let go the calls that hang on the fault now."""
        await self._post(f"faults/{fault_id}/release", {})

    async def customer_approves(self, payment_id: str) -> None:
        """Do what the customer does on the bank's page."""
        (await self._client.post(f"/stripe/3ds/{payment_id}", data={"outcome": "approve"})).raise_for_status()

    async def customer_fails(self, payment_id: str) -> None:
        """Do what the customer does who does not manage to prove who it is."""
        (await self._client.post(f"/stripe/3ds/{payment_id}", data={"outcome": "fail"})).raise_for_status()

    async def world(self, path: str, **body: Any) -> dict[str, Any]:
        """Do what people and the world do, e.g. ``world("stripe/payments/pi_…/dispute")``; returns what it is about."""
        return dict(await self._post(path, body))

    async def webhooks_misbehave(self, provider: str = "*", kind: str = "*", **how: Any) -> None:
        """Order how deliveries go wrong; ``how`` is duplicate, delay, reorder, window, seed, early, drop, batch."""
        await self._post("webhooks", {"provider": provider, "kind": kind, **how})

    async def webhooks(self, provider: str | None = None, kind: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        """The last deliveries, oldest first, with body and headers as they were sent."""
        return list((await self._get("webhooks", provider=provider, kind=kind, state=state))["deliveries"])

    async def webhooks_waiting(self) -> int:
        """How many deliveries are not over, also those that are withheld."""
        return int((await self._get("webhooks"))["waiting"])

    async def release_webhooks(self, provider: str | None = None, kind: str | None = None) -> int:
        """Send what is withheld; returns how many."""
        asked = {name: value for name, value in {"provider": provider, "kind": kind}.items() if value}
        return int((await self._post("webhooks/release", asked))["released"])

    async def redeliver_webhook(self, delivery_id: str) -> str:
        """Send a past delivery again; returns the new one's id."""
        return str((await self._post(f"webhooks/{delivery_id}/redeliver", {}))["id"])

    async def forget_webhooks(self) -> None:
        """Deliver as usual again; nothing is listed, waiting or withheld."""
        (await self._client.delete("/_sandbox/webhooks")).raise_for_status()

    async def clear_faults(self) -> None:
        """Delete every fault; what hangs goes on."""
        (await self._client.delete("/_sandbox/faults")).raise_for_status()

    async def revoke(self, provider: str, key: str) -> None:
        """Make the provider refuse the key."""
        await self._post("keys", {"provider": provider, "key": key, "revoked": True})

    async def restore(self, provider: str, key: str) -> None:
        """Make the provider accept the key again."""
        await self._post("keys", {"provider": provider, "key": key, "revoked": False})

    async def in_flight(self, provider: str | None = None, operation: str | None = None) -> int:
        """How many requests are inside the handler now."""
        return len(await self.inside(provider, operation))

    async def inside(self, provider: str | None = None, operation: str | None = None) -> list[dict[str, Any]]:
        """The requests inside the handler now: whom they are about (``subject``), and whether their work is done (``worked``)."""
        return list((await self._get("in-flight", provider=provider, operation=operation))["requests"])

    async def until_in_flight(
        self, provider: str, operation: str, *, count: int = 1, worked: bool | None = None, seconds: float = 10
    ) -> None:
        """Return once ``count`` requests are inside; with ``worked`` only those whose work is done (True) or not yet (False)."""
        deadline = time.monotonic() + seconds
        while True:
            inside = await self.inside(provider, operation)
            if len([one for one in inside if worked in {None, one["worked"]}]) >= count:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} of {operation!r} not in flight at {provider} within {seconds} s, but {inside}")
            await asyncio.sleep(0.01)

    async def requests(self, provider: str | None = None, operation: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """The HTTP requests that are over, in the order they ended."""
        return list((await self._get("requests", provider=provider, operation=operation, since=since))["requests"])

    async def objects(self, provider: str, kind: str) -> list[dict[str, Any]]:
        """What a provider keeps, newest first, e.g. sendgrid's mail."""
        return list((await self._get("objects", provider=provider, kind=kind))["objects"])

    async def tamper(self, provider: str, kind: str, identity: str, like: str | None = None, **changes: Any) -> dict[str, Any]:
        """Change what a provider keeps, or insert a copy of ``like``, behind everybody's back; returns the object."""
        path = f"/_sandbox/objects/{provider}/{kind}/{identity}"
        return dict((await self._client.put(path, json={"like": like, "changes": changes})).raise_for_status().json())

    async def take_away(self, provider: str, kind: str, identity: str) -> None:
        """Remove what a provider keeps, behind everybody's back."""
        (await self._client.delete(f"/_sandbox/objects/{provider}/{kind}/{identity}")).raise_for_status()

    async def latency(self, **milliseconds: float) -> None:
        """Make providers slower or quicker."""
        await self._post("latency", milliseconds)

    async def reset(self) -> None:
        """Forget everything that happened and everything that was ordered."""
        await self._post("reset", {})

    async def _get(self, path: str, **query: Any) -> Any:
        answer = await self._client.get(f"/_sandbox/{path}", params={name: value for name, value in query.items() if value is not None})
        return answer.raise_for_status().json()

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self._client.post(f"/_sandbox/{path}", json=body)
        if answer.is_error:
            raise ValueError(f"{answer.status_code}: {answer.text}")
        return answer.json()


class Sandbox(SandboxControl):
    """A running sandbox in a process of its own, ``pid``."""

    def __init__(self, url: str, token: str, process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
        super().__init__(url, token, client)
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def kill(self) -> None:
        """Kill -9 the process and return when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def sandbox_control(url: str, token: str) -> AsyncIterator[SandboxControl]:
    """The control side of a sandbox that somebody else runs."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as client:
        yield SandboxControl(url, token, client)


@asynccontextmanager
async def running_sandbox(
    home: Path,
    *,
    port: int = 0,
    latency: Mapping[str, float] | None = None,
    settle_seconds: float = 0.2,
    allow_kill: Mapping[str, Path] | None = None,
    token: str | None = None,
    webhooks: Webhooks | None = None,
) -> AsyncIterator[Sandbox]:
    """
    Run a sandbox on ``home`` and stop it afterwards.

    Providers answer at once unless ``latency`` names milliseconds. The same ``home``, ``port`` and ``token`` start a dead one again. Nobody
    is called back without ``webhooks``.
    """
    token = token or secrets.token_urlsafe(16)
    delays = dict.fromkeys(PROVIDERS, 0.0) | dict(latency or {})
    command = ["--host", "127.0.0.1", "--port", str(port), "--home", str(home), "--settle-seconds", str(settle_seconds)]
    command += ["--latency", ",".join(f"{name}={value:g}" for name, value in delays.items())]
    for role, file in (allow_kill or {}).items():
        command += ["--allow-kill", f"{role}={file}"]
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment on a local disk, in a test
    if webhooks is not None:
        command += webhooks.options(home / "webhook_secrets.json")
    with (home / "sandbox.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox", *command),
            cwd=ROOT,
            env={**os.environ, "HUB_SANDBOX_TOKEN": token},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        url = await _address(process, home)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False) as client:
            yield Sandbox(url, token, process, client)
    finally:
        await _stop(process)


async def _address(process: asyncio.subprocess.Process, home: Path) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), START_SECONDS)).decode()
    if not line.startswith("sandbox http"):
        raise RuntimeError(f"the sandbox did not start: {(home / 'sandbox.log').read_text()}")
    return line.split()[1]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
