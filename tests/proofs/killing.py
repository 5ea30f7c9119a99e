"""Kill -9 of a role of the stack: real pids, shown gone, and how long until the supervisor has brought it back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psutil

from deployments.problems import Problem
from deployments.processes import gone_within
from deployments.supervisor import Say
from tests.journeys.hub_under_test import Hub, until

BACK_SECONDS = 120.0
STORM_SECONDS = 600.0


@dataclass(frozen=True)
class Kill:
    """A role that was killed -9: its processes, when, and how long until it answered again."""

    role: str
    pids: list[int]
    delivered: int
    back_after_seconds: float


async def kill_in_turn(hub: Hub, roles: Sequence[str], *, delivered: Callable[[], int], expected: float, say: Say) -> list[Kill]:
    """Kill -9 one of the roles after the other, at even shares of the ``expected`` deliveries, and see each come back."""
    kills = []
    for turn, role in enumerate(roles, start=1):
        await until(
            partial(_reached, delivered, expected * turn / (len(roles) + 1)),
            seconds=STORM_SECONDS,
            what=partial("{} deliveries are too few to kill the {}".format, delivered(), role),
        )
        kills.append(await killed(hub, role, delivered(), say))
    return kills


async def _reached(delivered: Callable[[], int], share: float) -> bool:
    return delivered() >= share


async def killed(hub: Hub, role: str, delivered: int, say: Say) -> Kill:
    """Kill -9 the role's processes, show them gone, and return when the supervisor has brought it back."""
    supervised, began = hub.stack.running[role], time.monotonic()
    doomed = await killed_with_children(hub, role)
    say(f"killed -9 and gone: {role} {doomed}, after {delivered} deliveries")

    async def back() -> bool:
        try:
            return hub.stack.pid(role) not in doomed and await supervised.role.ready(supervised.started_at)
        except Problem:
            return False

    await until(back, seconds=BACK_SECONDS, what=lambda: f"the {role} to come back")
    seconds = time.monotonic() - began
    say(f"back: {role} as {hub.stack.pid(role)} after {seconds:.1f} s")
    return Kill(role, doomed, delivered, seconds)


async def killed_with_children(hub: Hub, role: str) -> list[int]:
    """Kill -9 the role's process and every child of it, show them gone, and return their pids."""
    first = psutil.Process(hub.stack.pid(role))
    doomed = [first, *first.children(recursive=True)]
    for process in doomed:
        with contextlib.suppress(ProcessLookupError):  # a child that its parent's end took along
            os.kill(process.pid, signal.SIGKILL)
    pids = [process.pid for process in doomed]
    assert await gone_within(doomed, 5) == [], f"{role} {pids} did not die"
    return pids
