"""Tells Prefect that something was kept, so that it is handled at once. A nudge that gets lost costs latency: `sweep` looks as well."""

from __future__ import annotations

import asyncio
import logging
import time

from blocks.process_server import emit
from hub.inbox import LINGER_SECONDS, waiting

log = logging.getLogger(__name__)

EVENT, RESOURCE = "hub.notices.kept", "hub.inbox"
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.2
LEAST_SECONDS = 0.3
"""Between two nudges, however much comes in: a run drains the inbox, and many runs at once only compete."""
A_RUN_MAY_LOOK_SECONDS = 0.15
"""A run that has drained the inbox stays for ``LINGER_SECONDS`` and looks for more: what it takes in this time needs no nudge."""
LONGEST_SECONDS = 60.0


class Nudge:
    """
    At most one nudge is unanswered; it is answered when what it was about is handled.

    Without an answer it is repeated after 5 s, then after twice as long each time up to a minute: every one starts a run, and a hundred
    runs that wait for a dead worker help nobody. A nudge that Prefect did not take is repeated after 5 s.
    """

    def __init__(self) -> None:
        self._newest = 0
        self._answered_at = -LINGER_SECONDS
        self._news = asyncio.Event()

    def about(self, newest: int) -> None:
        """Something was kept, up to this row id."""
        self._newest = max(self._newest, newest)
        self._news.set()

    async def keep_nudging(self) -> None:
        """Nudge whenever there is something to nudge about, as long as this is not cancelled."""
        while True:
            await self._news.wait()
            await self._nudge_until_handled()

    async def _nudge_until_handled(self) -> None:
        pause, taken = ANSWER_SECONDS, True
        while True:
            about = self._newest
            if time.monotonic() - self._answered_at < LINGER_SECONDS:
                await asyncio.sleep(A_RUN_MAY_LOOK_SECONDS)
            if not await _handled(about, 0):
                taken = await _sent()
                await asyncio.sleep(LEAST_SECONDS)
            if await _handled(about, pause):
                newest = self._newest
                if newest == about or await _handled(newest, 0):  # whoever handled the older ones took the newer ones along
                    break
                pause = ANSWER_SECONDS
            else:
                pause = min(pause * 2, LONGEST_SECONDS) if taken else ANSWER_SECONDS
        self._answered_at = time.monotonic()
        if self._newest == newest:
            self._news.clear()


async def _sent() -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await emit(EVENT, resource=RESOURCE)
    except Exception as failure:  # noqa: BLE001 - Prefect may be down in many ways; the notices are kept and due
        log.warning("Prefect did not take the nudge (%s); `sweep` sees to what was kept", type(failure).__name__)
        return False
    return True


async def _handled(about: int, seconds: float) -> bool:
    """Tell whether everything up to ``about`` is handled, or will be within that time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if not await waiting(about):
                return True
        except Exception as failure:  # noqa: BLE001 - the database may be down in many ways
            log.warning("whether notices wait cannot be seen (%s)", type(failure).__name__)
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
