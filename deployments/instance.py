"""One stack per ``HUB_HOME``: the lock, what a running stack has written down, and what a killed one has left behind."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments.problems import Problem
from deployments.processes import end, marked
from hub.private_files import write_private
from hub.settings import STACK_FILE


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """
    Hold the lock of ``home``; the kernel lets it go when this process ends, however it ends.

    Raises:
        Problem: Another `hub up` holds it; says which process that is and where its parts are.
    """
    path = home / "run" / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise Problem(_already_running(home, os.pread(handle, 32, 0).decode().strip())) from held
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def is_running(home: Path) -> bool:
    """Tell whether a `hub up` holds the lock of ``home`` and is up."""
    try:
        with only_one(home):
            return False
    except Problem:
        return written_down(home) is not None


def _already_running(home: Path, pid: str) -> str:
    running = written_down(home)
    if running is None:
        return f"`hub up` is already starting here (pid {pid}, {home}): wait for it, or stop it with Ctrl-C."
    return (
        f"`hub up` is already running (pid {pid}, {home}): Prefect {running['prefect_url']}, gateway {running['gateway_url']}, "
        f"sandbox {running['sandbox_url']}. Stop it with Ctrl-C, or choose another HUB_HOME."
    )


def write_down(home: Path, facts: dict[str, Any]) -> None:
    """Other commands find the running stack by ``stack.json``, mode 0600 because addresses can hold passwords."""
    write_private(home / STACK_FILE, json.dumps(facts, indent=2))


def written_down(home: Path) -> dict[str, Any] | None:
    """What the stack that runs in ``home`` has written down, or None."""
    try:
        facts: dict[str, Any] = json.loads((home / STACK_FILE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return facts


def point_at_prefect(home: Path) -> None:
    """Let Prefect's client find the server of the stack that runs in ``home``, unless the environment names one; before its import."""
    if (running := written_down(home)) is not None:
        os.environ.setdefault("PREFECT_API_URL", running["prefect_api_url"])
        if running["prefect_auth_string"]:
            os.environ.setdefault("PREFECT_API_AUTH_STRING", running["prefect_auth_string"])


def forget(home: Path) -> None:
    """Nothing is written down any more."""
    (home / STACK_FILE).unlink(missing_ok=True)


async def clear_leftovers(home: Path, marker: str, say: Callable[[str], None]) -> None:
    """What a killed stack left behind is gone. Call it with the lock held, so that what carries the marker is surely nobody's."""
    forget(home)
    if left := marked(marker):
        say(f"! stopping what an earlier stack left behind: {', '.join(str(process.pid) for process in left)}")
        await end(left, patience_seconds=5)
    for pid_file in (home / "run").glob("*.pid"):
        pid_file.unlink(missing_ok=True)
