"""
Makes a Prefect server ours: work pool, queues, result storage, accounts, deployments. Run as ``python -m deployments.registration``.

A process of its own, because Prefect reads its settings when it is imported, and so that its import runs beside the server's start. It
tells how far it is in lines of JSON: ``{"done": "work pool"}``, ``{"modes": {"stripe": "rehearsal", …}}``, or ``{"problem": "…"}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine
from typing import Any

from prefect.client.orchestration import PrefectClient, get_client
from prefect.filesystems import LocalFileSystem

from deployments import accounts, secret_files, webhook_secrets
from deployments.declarations import deploy_all
from deployments.enrolment import EXIT_NEEDS_AUTH
from deployments.layout import PROJECT, RESULTS_BLOCK
from deployments.problems import NeedsAuth, Problem
from deployments.processes import stack_id
from deployments.stack_settings import StackSettings
from deployments.work_pool import make_pool
from hub.api_keys import ensure_key
from hub.identity import OtherMode, remember_mode
from hub.per_loop import close_all
from hub.result_files import FOLDER
from hub.settings import settings


def tell(**news: Any) -> None:
    """One line for the process that started us."""
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()


async def register(*, mixed: bool, sweep_seconds: float | None, patience_seconds: float) -> None:
    """
    Register everything that the local stack needs; all of it may be there already.

    Raises:
        Problem: It cannot be done, and the text says what to do.
        NeedsAuth: Accounts that are not for rehearsal need a server with an auth string.
    """
    async with get_client() as client:
        await _answering(client, patience_seconds)
        await make_pool(client, StackSettings().hub_worker_type)
        tell(done="work pool")
        try:
            await asyncio.gather(_timed("accounts", _accounts(mixed=mixed)), _timed("deployments", _storage_and_deployments(sweep_seconds)))
        finally:
            await close_all()


async def _answering(client: PrefectClient, patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while (failure := await client.api_healthcheck()) is not None:
        if time.monotonic() > deadline:
            raise Problem(f"The Prefect server at {client.api_url} did not answer within {patience_seconds:g} s.") from failure
        await asyncio.sleep(0.2)


async def _accounts(*, mixed: bool) -> None:
    home = settings().home
    wishes = StackSettings()
    rehearsal_keys = secret_files.rehearsal_keys(home)
    verifying = webhook_secrets.verifying_secrets(home, rehearsal_keys)
    choices = await accounts.chosen(wishes.provider_keys(), wishes.provider_fields(), rehearsal_keys, verifying)
    mode = accounts.must_agree(choices, mixed=mixed)
    try:
        await remember_mode(mode, even_if_different=mixed)
    except OtherMode as other:
        raise Problem(f"{str(other)[:1].upper()}{str(other)[1:]}.") from other
    await accounts.save(choices, guarded="PREFECT_API_AUTH_STRING" in os.environ)
    rehearses = any(choice.mode == accounts.REHEARSAL for choice in choices)
    await webhook_secrets.save_senders(wishes.webhook_secrets(), verifying if rehearses else {})
    await ensure_key(f"hub up {stack_id(home)}", secret_files.gateway_key(home))
    tell(modes={choice.provider: choice.mode for choice in choices})


async def _storage_and_deployments(sweep_seconds: float | None) -> None:
    folder = settings().home / FOLDER
    await LocalFileSystem(basepath=str(folder)).save(RESULTS_BLOCK, overwrite=True)
    await deploy_all(PROJECT / "prefect.yaml", sweep_seconds=sweep_seconds)


async def _timed(name: str, work: Coroutine[Any, Any, None]) -> None:
    begin = time.monotonic()
    await work
    tell(done=name, seconds=round(time.monotonic() - begin, 1))


def main() -> int:
    """Register, and say in the exit code how that went: 0 done, 1 a problem that was told, 3 an auth string is needed first."""
    parser = argparse.ArgumentParser(prog="python -m deployments.registration")
    parser.add_argument("--mixed", action="store_true", help="allow live, test and rehearsal accounts side by side")
    parser.add_argument("--sweep-seconds", type=float, help="run `sweep` this often instead of what prefect.yaml says")
    parser.add_argument("--patience-seconds", type=float, default=180, help="how long to wait for the Prefect server")
    wanted = parser.parse_args()
    try:
        asyncio.run(register(mixed=wanted.mixed, sweep_seconds=wanted.sweep_seconds, patience_seconds=wanted.patience_seconds))
    except NeedsAuth:
        return EXIT_NEEDS_AUTH
    except Problem as problem:
        tell(problem=str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
