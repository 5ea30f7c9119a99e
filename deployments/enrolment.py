"""Runs the registration (`deployments.registration`) beside the starting stack and follows what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping

from deployments.databases import Databases
from deployments.layout import PROJECT, Layout
from deployments.problems import NeedsAuth, Problem
from deployments.stack_settings import StackSettings

EXIT_NEEDS_AUTH = 3  # of the registration: an account that is not for rehearsal, and a server without an auth string


async def enrol(
    layout: Layout,
    databases: Databases,
    wishes: StackSettings,
    done: Callable[[str, float], None],
    pool_ready: asyncio.Event,
    *,
    mixed: bool,
    sweep_seconds: float | None,
) -> Mapping[str, str]:
    """
    The Prefect server has our pool, blocks and deployments; returns the mode of every provider's account.

    ``done`` hears of every part; ``pool_ready`` is set as soon as a worker can start.

    Raises:
        Problem: Something could not be registered.
        NeedsAuth: The server has to ask for an auth string first.
    """
    command = [sys.executable, "-m", "deployments.leash", f"--parent={os.getpid()}", "--", sys.executable, "-m", "deployments.registration"]
    command += ["--mixed"] if mixed else []
    command += [f"--sweep-seconds={sweep_seconds}"] if sweep_seconds is not None else []
    log = layout.home / "logs" / "registration.log"
    begin = time.monotonic()
    modes: Mapping[str, str] = {}
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=layout.role_environment(databases) | wishes.provider_environment(),
            cwd=PROJECT,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for with PIPE
        async for line in process.stdout:
            news = json.loads(line)
            if "problem" in news:
                raise Problem(news["problem"])
            modes = news.get("modes", modes)
            if news.get("done") == "work pool":
                pool_ready.set()
            if "done" in news:
                done(news["done"], begin)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code == EXIT_NEEDS_AUTH:
        raise NeedsAuth
    if code != 0:
        raise Problem(f"Registering at the Prefect server failed: {_last_line(log.read_text(errors='replace'))} (more in {log})")
    return modes


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
