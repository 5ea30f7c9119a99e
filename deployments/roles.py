"""The roles of the local stack, as data: what is started, in which environment, and how it shows that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime

import httpx

from deployments import secret_files, webhook_secrets
from deployments.databases import Databases
from deployments.layout import POOL, PROJECT, Layout
from deployments.ports import HOST
from deployments.stack_settings import StackSettings
from deployments.supervisor import Role
from deployments.warm.settings import LAST_WORDS_SECONDS, WARM, WorkerSettings

WORKER_NAME = "hub"
WORKER_QUERY_SECONDS = "1"


def prefect_server(layout: Layout, databases: Databases) -> Role:
    """Prefect's API, UI and services. The first start on an empty database takes 15 to 20 s (migrations)."""
    return Role(
        name="prefect-server",
        command=(sys.executable, "-m", "deployments.prefect_server", "--port", str(layout.prefect_port)),
        environment=layout.server_environment(databases),
        directory=PROJECT,
        ready=answers(f"{layout.prefect_api_url}/health", layout.auth),
        ready_seconds=180,
    )


def worker(layout: Layout, databases: Databases, wishes: StackSettings) -> Role:
    """The worker on work pool ``hub``: ours, or Prefect's own process worker."""
    warm = wishes.hub_worker_type == WARM
    several = warm and wishes.hub_worker_processes > 1
    names = {f"{WORKER_NAME}-{number}" for number in range(1, wishes.hub_worker_processes + 1)} if several else {WORKER_NAME}
    place = ("--pool", POOL, "--name", WORKER_NAME)
    return Role(
        name="worker",
        command=(
            (sys.executable, "-m", "deployments.warm", *place, "--processes", str(wishes.hub_worker_processes))
            if warm
            else (sys.executable, "-m", "prefect", "worker", "start", *place, "--type", wishes.hub_worker_type)
        ),
        environment={"PREFECT_WORKER_QUERY_SECONDS": WORKER_QUERY_SECONDS} | layout.role_environment(databases),
        directory=PROJECT,
        ready=_workers_are_online(layout, names),
        stop_seconds=WorkerSettings().stop_seconds + LAST_WORDS_SECONDS + 1 if warm else 5,
    )


def gateway(layout: Layout, databases: Databases) -> Role:
    """The door: webhooks, orders and sign-ups in, state out."""
    return Role(
        name="gateway",
        command=(sys.executable, "-m", "gateway", "--host", HOST, "--port", str(layout.gateway_port)),
        environment=layout.role_environment(databases),
        directory=PROJECT,
        ready=answers(f"{layout.gateway_url}/health"),
    )


def sandbox(layout: Layout, databases: Databases) -> Role:
    """The rehearsal providers. May kill the other roles, as faults of a rehearsal, and call the gateway back."""
    killable = [f"{name}={layout.home / 'run' / f'{name}.pid'}" for name in ("worker", "prefect-server", "gateway", "sandbox", "database")]
    allowed = [part for one in killable for part in ("--allow-kill", one)]
    address = ("--host", HOST, "--port", str(layout.sandbox_port), "--home", str(layout.home / "sandbox"))
    return Role(
        name="sandbox",
        command=(sys.executable, "-m", "sandbox", *address, *allowed),
        environment=layout.role_environment(databases)
        | {
            "HUB_SANDBOX_TOKEN": secret_files.sandbox_token(layout.home),
            "SANDBOX_WEBHOOKS_URL": f"{layout.gateway_url}/webhooks",
            "SANDBOX_WEBHOOK_SECRETS_FILE": str(webhook_secrets.sandbox_file(layout.home, secret_files.rehearsal_keys(layout.home))),
        },
        directory=PROJECT,
        ready=answers(f"{layout.sandbox_url}/_sandbox/health"),
    )


def credentials(auth: str | None) -> httpx.BasicAuth | None:
    """The auth string ``user:password`` as httpx wants it."""
    return None if auth is None else httpx.BasicAuth(*auth.split(":", 1))


def answers(url: str, auth: str | None = None) -> Callable[[float], Awaitable[bool]]:
    """A probe that is satisfied by 200 from ``url``."""

    async def probe(started_at: float) -> bool:
        del started_at  # a port belongs to one process only
        async with httpx.AsyncClient(timeout=5, auth=credentials(auth), trust_env=False) as client:
            try:
                return (await client.get(url)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

    return probe


def _workers_are_online(layout: Layout, names: set[str]) -> Callable[[float], Awaitable[bool]]:
    """A probe that is satisfied when the workers, started again under their old names, have sent heartbeats since."""

    async def probe(started_at: float) -> bool:
        url = f"{layout.prefect_api_url}/work_pools/{POOL}/workers/filter"
        async with httpx.AsyncClient(timeout=5, auth=credentials(layout.auth), trust_env=False) as client:
            try:
                answer = await client.post(url, json={"limit": 50})
                workers = answer.raise_for_status().json()
            except httpx.HTTPError:
                return False
        fresh = {one["name"] for one in workers if datetime.fromisoformat(one["last_heartbeat_time"]).timestamp() >= started_at}
        return names <= fresh

    return probe
