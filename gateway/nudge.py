"""Tells Prefect that something was kept, so that it is handled at once. A nudge that gets lost costs latency: `sweep` looks as well."""

from __future__ import annotations

import asyncio
import logging
import time

from blocks.process_server import emit
from hub.inbox_watch import Look, look

log = logging.getLogger(__name__)

EVENT, RESOURCE = "hub.notices.kept", "hub.inbox"
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.2
LONGEST_SECONDS = 60.0


class Nudge:
    """
    Somebody works through the inbox as long as something waits in it.

    Whoever does so says it (``hub.inbox_watch``), and then nobody is nudged: a second run would only compete. Without an answer a nudge is
    repeated after 5 s, then after twice as long each time up to a minute: every one starts a run, and a hundred runs that wait for a dead
    worker help nobody. A nudge that Prefect did not take is repeated after 5 s.
    """

    def __init__(self) -> None:
        self._newest = 0
        self._news = asyncio.Event()

    def about(self, newest: int) -> None:
        """Something was kept, up to this row id."""
        self._newest = max(self._newest, newest)
        self._news.set()

    async def keep_nudging(self) -> None:
        """Nudge whenever there is something to nudge about, as long as this is not cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._nudge_until_handled()

    async def _nudge_until_handled(self) -> None:
        pause, nudge_at, told = ANSWER_SECONDS, time.monotonic(), 0
        while (seen := await _look(self._newest)) is None or seen.waits:
            if seen is not None and (seen.watched or await _is_handled(told)):
                pause, nudge_at = ANSWER_SECONDS, time.monotonic()
            if seen is not None and not seen.watched and time.monotonic() >= nudge_at:
                told = self._newest
                taken = await _sent()
                nudge_at = time.monotonic() + pause
                pause = min(2 * pause, LONGEST_SECONDS) if taken else ANSWER_SECONDS
            await asyncio.sleep(LOOK_SECONDS)


async def _sent() -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await emit(EVENT, resource={"prefect.resource.id": RESOURCE})
    except Exception as failure:  # noqa: BLE001 - Prefect may be down in many ways; the notices are kept and due
        log.warning("Prefect did not take the nudge (%s); `sweep` sees to what was kept", type(failure).__name__)
        return False
    return True


async def _look(newest: int) -> Look | None:
    """Return what is in the inbox, or None when that cannot be seen."""
    try:
        return await look(newest)
    except Exception as failure:  # noqa: BLE001 - the database may be down in many ways
        log.warning("whether notices wait cannot be seen (%s)", type(failure).__name__)
        return None


async def _is_handled(told: int) -> bool:
    """Tell whether the last nudge is answered: everything up to ``told`` is handled."""
    seen = await _look(told)
    return seen is not None and not seen.waits
