"""What the processes of a stack use: processor time and memory, by role, with everything that a role has started."""

from __future__ import annotations

import contextlib
import os
import time

import psutil  # type: ignore[import-untyped]  # it ships no types

from deployments.problems import Problem
from deployments.stack import Stack

OURSELVES = "benchmark"
MEGABYTE = 1024 * 1024


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """Processor time of every role since it started, children that are gone included, and of this program."""
    return {role: sum(map(_cpu_of, _tree(stack, role))) for role in stack.running} | {OURSELVES: time.process_time()}


def used_since(before: dict[str, float], stack: Stack) -> dict[str, float]:
    """Processor time of every role since ``before``."""
    now = cpu_seconds(stack)
    return {role: round(seconds - before[role], 3) for role, seconds in now.items() if role in before}


def memory_mb(stack: Stack) -> dict[str, float]:
    """Megabytes of every role: the proportional set size where the system knows it, so that shared pages count once; else resident."""
    return {role: round(sum(map(_bytes_of, _tree(stack, role))) / MEGABYTE, 1) for role in stack.running}


def busy_seconds() -> tuple[float, float]:
    """Processor time of the whole machine since it started, and of this program with everything below it that has ended."""
    machine, ours = psutil.cpu_times(), os.times()
    busy = sum(getattr(machine, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return float(busy), ours.user + ours.system + ours.children_user + ours.children_system


def _tree(stack: Stack, role: str) -> list[psutil.Process]:
    """The process of ``role`` and all below it; empty in the moment in which it is started again."""
    with contextlib.suppress(psutil.Error, Problem):
        process = psutil.Process(stack.pid(role))
        return [process, *process.children(recursive=True)]
    return []


def _cpu_of(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(sum(getattr(times, name, 0.0) for name in ("user", "system", "children_user", "children_system")))
    return 0.0


def _bytes_of(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        try:
            return int(process.memory_full_info().pss)
        except (psutil.AccessDenied, AttributeError):
            return int(process.memory_info().rss)
    return 0
