"""Counts whom the door refused, and writes that down at most once a second: knocking must not make the database write."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from hub.refused import note_refused

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 1.0


class Refusals:
    """Numbers of refused deliveries by provider that are not in the database yet."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._some = asyncio.Event()

    def count(self, provider: str) -> None:
        """One more."""
        self._counts[provider] += 1
        self._some.set()

    async def keep_writing(self) -> None:
        """Write the numbers down, as long as this is not cancelled."""
        while True:
            await self._some.wait()
            await self.write()
            await asyncio.sleep(SECONDS_BETWEEN)

    async def write(self) -> None:
        """Put the numbers into the database; while that does not answer they stay here."""
        self._some.clear()
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await note_refused(counts)
        except Exception as failure:  # noqa: BLE001 - a number for people; nothing depends on it
            log.warning("refused deliveries are not written down yet (%s)", type(failure).__name__)
            self._counts.update(counts)
            self._some.set()
