"""Whom the door believes now: read from Prefect's blocks every 30 s, kept in memory and in an encrypted copy."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from blocks.webhook_trust import Trust, trusted
from gateway.trust_copy import write_copy, written_copy

log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
ASK_AGAIN_SECONDS = 2.0
"""A delivery for a door without secrets makes us ask Prefect for them, but no more often than this."""


class Believed:
    """The secrets of every sender, as they were when Prefect last told. ``home`` is where the copy lies."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._trust: Mapping[str, Trust] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._begun_at = -ASK_AGAIN_SECONDS

    async def recall(self) -> None:
        """Take what the copy says until Prefect tells more."""
        try:
            self._trust = await asyncio.to_thread(written_copy, self._home)
        except OSError as failure:
            log.warning("the copy of the webhook secrets cannot be read (%s)", failure.strerror)

    def of(self, sender: str) -> Trust | None:
        """Return by which secrets to believe ``sender``; None: by none, its door is shut."""
        return self._trust.get(sender)

    async def asked(self, sender: str) -> Trust | None:
        """Return by which secrets to believe ``sender`` after having asked Prefect, if that was not just done."""
        if self._refreshing is None and time.monotonic() - self._begun_at >= ASK_AGAIN_SECONDS:
            self._refreshing = asyncio.create_task(self.refresh())
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing], timeout=ASK_AGAIN_SECONDS)
        return self.of(sender)

    async def keep_fresh(self) -> None:
        """Ask Prefect every 30 s, as long as this is not cancelled: a rotated secret counts after that."""
        while True:
            if self._refreshing is None:
                self._refreshing = asyncio.create_task(self.refresh())
            await asyncio.wait([self._refreshing])
            await asyncio.sleep(REFRESH_SECONDS)

    async def stop(self) -> None:
        """Nothing is asked of Prefect any more."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])

    async def refresh(self) -> None:
        """Take what Prefect says now; what it does not tell stays."""
        self._begun_at = time.monotonic()
        try:
            told = await trusted(self._trust)
            if told != self._trust:
                self._trust = told
                log.info("webhook secrets loaded for: %s", ", ".join(told) or "nobody")
                await asyncio.to_thread(write_copy, self._home, told)
        except Exception as failure:  # noqa: BLE001 - what is known stays valid, and the next time it may work
            log.warning("webhook secrets were not refreshed (%s)", type(failure).__name__)
        finally:
            self._refreshing = None
