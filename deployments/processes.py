"""Finds and ends the processes of a stack by the marker in their environment, also those that left their parent's session."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

MARKER = "HUB_STACK_ID"


def stack_id(home: Path) -> str:
    """The marker of every process that belongs to ``home``: the same at every start, another one for a copied or moved home."""
    found = home.stat()
    return hashlib.sha256(f"{home}|{found.st_dev}|{found.st_ino}".encode()).hexdigest()[:16]


def marked(marker: str) -> list[psutil.Process]:
    """Every living process that carries ``marker``, except this one. A recycled pid never does, so nobody else's process is in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == marker:
                found.append(process)
    return found


async def end(processes: Iterable[psutil.Process], *, patience_seconds: float) -> None:
    """Ask ``processes`` to stop, and kill what is still there after ``patience_seconds``. psutil checks that a pid was not recycled."""
    remaining = list(processes)
    for process in remaining:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    remaining = await gone_within(remaining, patience_seconds)
    for process in remaining:
        with contextlib.suppress(psutil.Error):
            process.kill()
    await gone_within(remaining, 5)


async def gone_within(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those of ``processes`` that are still there after ``seconds``; returns early when none is."""
    deadline = time.monotonic() + seconds
    remaining = [process for process in processes if alive(process)]
    while remaining and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        remaining = [process for process in remaining if alive(process)]
    return remaining


def alive(process: psutil.Process) -> bool:
    """Whether ``process`` still runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
