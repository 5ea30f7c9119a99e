"""The local stack: everything of the hub on one machine, up while the block runs, gone without a trace after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types

from deployments import databases as given_databases
from deployments import instance, roles, secret_files
from deployments.databases import Databases
from deployments.embedded_database import HUB_DATABASE, PREFECT_DATABASE, EmbeddedDatabase
from deployments.enrolment import enrol
from deployments.layout import PROJECT, Layout, laid_out, prepared
from deployments.problems import NeedsAuth, Problem
from deployments.processes import end, marked
from deployments.stack_settings import KEY_VARIABLES, GivenSettings, StackSettings
from deployments.supervisor import Role, Say, Supervised, make_room

STOP_ORDER = ("worker", "gateway", "sandbox", "prefect-server", "database")
RUNS_STOP_SECONDS = 3


@dataclass
class Stack:
    """A running local stack."""

    layout: Layout
    databases: Databases
    say: Say
    modes: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, Supervised] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The folder of this stack."""
        return self.layout.home

    @property
    def prefect_url(self) -> str:
        """Prefect's UI; its API is below ``/api``."""
        return self.layout.prefect_url

    @property
    def gateway_url(self) -> str:
        """The door for orders and webhooks."""
        return self.layout.gateway_url

    @property
    def sandbox_url(self) -> str | None:
        """The rehearsal providers, or None when every account is official."""
        return self.layout.sandbox_url if "sandbox" in self.running else None

    @property
    def environment(self) -> dict[str, str]:
        """The environment for programs that use this stack. They are not part of it: they survive its end."""
        return self.layout.client_environment(self.databases)

    def pid(self, role: str) -> int:
        """
        The process id of ``role`` (database, prefect-server, worker, gateway, sandbox) as it runs now.

        Raises:
            Problem: There is no such role, or it does not run at this moment.
        """
        if role not in self.running:
            raise Problem(f"There is no role {role!r} here, only {', '.join(self.running)}.")
        return self.running[role].pid

    async def start(self, role: Role) -> None:
        """``role`` runs and is ready; says how long that took."""
        begin = time.monotonic()
        make_room(self.home / "logs" / f"{role.name}.log")
        self.running[role.name] = Supervised(role, self.home, self.say)
        await self.running[role.name].start()
        self.done(role.name, begin)

    async def stop(self, role: str) -> None:
        """``role`` does not run any more."""
        if (supervised := self.running.pop(role, None)) is not None:
            await supervised.stop()

    def done(self, what: str, begin: float) -> None:
        """One line of progress; ``begin`` is on the monotonic clock."""
        self.say(f"  {what:<16} ready after {time.monotonic() - begin:4.1f} s")


@asynccontextmanager
async def local_stack(
    home: Path,
    *,
    free_ports: bool = False,
    mixed: bool = False,
    say: Say = print,
    sweep_seconds: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stack]:
    """
    Everything of the hub runs while the block does, and no process of it afterwards.

    ``free_ports`` takes any ports instead of the configured ones; ``mixed`` allows live, test and rehearsal accounts side by side; ``say``
    gets a line of progress or news at a time; ``sweep_seconds`` replaces the interval of `sweep`; ``settings`` override fields of
    ``hub.settings.Settings``, e.g. ``{"time_scale": 0.1}``.

    Raises:
        Problem: It could not be started; nothing of it runs then.
    """
    if not (PROJECT / "prefect.yaml").exists():
        raise Problem("`hub up` needs the project's folder with prefect.yaml: install it with `pip install -e .` from a checkout.")
    home = prepared(home)
    with instance.only_one(home):
        given, wishes = GivenSettings(**dict(settings or {})), StackSettings()
        instance.forget(home)
        layout = laid_out(home, given, wishes, free_ports=free_ports)
        await instance.clear_leftovers(home, layout.marker, say)
        stack = Stack(layout, Databases("", ""), say)
        try:
            await _start(stack, wishes, mixed=mixed, sweep_seconds=sweep_seconds)
            instance.write_down(home, _facts(stack))
            yield stack
        finally:
            ending = asyncio.ensure_future(_stop(stack))
            while not ending.done():  # a second Ctrl-C does not leave half of it behind
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(ending)


async def _start(stack: Stack, wishes: StackSettings, *, mixed: bool, sweep_seconds: float | None) -> None:
    if wishes.provider_keys():
        stack.layout = stack.layout.with_auth()
    stack.databases = await _start_databases(stack, wishes)
    try:
        await _start_rest(stack, wishes, mixed=mixed, sweep_seconds=sweep_seconds)
    except NeedsAuth:
        stack.say("  an account that is not for rehearsal is saved: starting again with an auth string")
        for role in STOP_ORDER[:-1]:
            await stack.stop(role)
        stack.layout = stack.layout.with_auth()
        await _start_rest(stack, wishes, mixed=mixed, sweep_seconds=sweep_seconds)


async def _start_databases(stack: Stack, wishes: StackSettings) -> Databases:
    given = stack.layout.given
    if given.database_url is not None:
        found = given_databases.given(given.database_url, wishes.prefect_server_database_connection_url)
        for url in (found.hub, found.prefect):
            await given_databases.make_sure_it_exists(url)
        return found
    embedded = EmbeddedDatabase(stack.home, stack.layout.marker)
    await embedded.prepare()
    found = Databases(embedded.url(HUB_DATABASE), wishes.prefect_server_database_connection_url or embedded.url(PREFECT_DATABASE))
    await stack.start(embedded.role(stack.layout.role_environment(found)))
    await embedded.create_databases()
    return found


async def _start_rest(stack: Stack, wishes: StackSettings, *, mixed: bool, sweep_seconds: float | None) -> None:
    layout, found = stack.layout, stack.databases
    migrated, pool_ready = asyncio.Event(), asyncio.Event()

    async def open_the_door() -> None:
        await _migrate(stack)
        migrated.set()
        await stack.start(roles.gateway(layout, found))

    async def make_it_ours() -> None:
        await migrated.wait()
        stack.modes = await enrol(layout, found, wishes, stack.done, pool_ready, mixed=mixed, sweep_seconds=sweep_seconds)

    async def work() -> None:
        await pool_ready.wait()
        await stack.start(roles.worker(layout, found, wishes))

    parts: list[Awaitable[None]] = [stack.start(roles.prefect_server(layout, found)), open_the_door(), make_it_ours(), work()]
    if len(wishes.provider_keys()) < len(KEY_VARIABLES):
        parts.append(stack.start(roles.sandbox(layout, found)))
    await _all(parts)
    if "rehearsal" not in stack.modes.values():
        await stack.stop("sandbox")


async def _migrate(stack: Stack) -> None:
    from hub.database import migrate  # noqa: PLC0415 - Alembic and SQLAlchemy take a second to import, meanwhile Prefect's server starts

    begin = time.monotonic()
    await migrate(stack.databases.hub)
    stack.done("hub's tables", begin)


async def _all(parts: list[Awaitable[None]]) -> None:
    """Await all ``parts``; the first failure stops the others and is raised as it is."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stop(stack: Stack) -> None:
    instance.forget(stack.home)
    for role in STOP_ORDER:
        if role in stack.running:
            await stack.stop(role)
        if role == "worker":  # its runs are in sessions of their own
            runs = [one for one in marked(stack.layout.marker) if one.pid not in _pids(stack)]
            await end(runs, patience_seconds=RUNS_STOP_SECONDS)
    await end(marked(stack.layout.marker), patience_seconds=RUNS_STOP_SECONDS)


def _pids(stack: Stack) -> set[int]:
    """The processes of the roles that still run, with their children."""
    found: set[int] = set()
    for supervised in stack.running.values():
        with contextlib.suppress(Problem, psutil.Error):
            process = psutil.Process(supervised.pid)
            found |= {process.pid, *(child.pid for child in process.children(recursive=True))}
    return found


def _facts(stack: Stack) -> dict[str, object]:
    """What other commands need to find this stack; the names are those of ``hub.settings`` where they are settings."""
    return {
        "pid": os.getpid(),
        "stack_id": stack.layout.marker,
        "database_url": stack.databases.hub,
        "gateway_url": stack.gateway_url,
        "sandbox_url": stack.layout.sandbox_url,
        "prefect_url": stack.prefect_url,
        "prefect_api_url": stack.layout.prefect_api_url,
        "prefect_auth_string": stack.layout.auth,
        "gateway_key": secret_files.gateway_key(stack.home),
        "sandbox_token": secret_files.sandbox_token(stack.home),
        "modes": dict(stack.modes),
        "pick_tickets": stack.layout.given.pick_tickets,
    }
