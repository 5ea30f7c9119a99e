"""Notices that arrive together share a commit: while two are under way, the next batch gathers. Each is answered after its own commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hub.inbox import keep
from hub.notices import Notice

BATCH_NOTICES, BATCH_BYTES = 500, 4 * 1024 * 1024
COMMITS_AT_ONCE = 2  # one reaches the disk while the other is on its way there and back
PATIENCE_SECONDS = 2.5  # Slack and Shippo hang up after 3 s


@dataclass(frozen=True)
class Counted:
    """What came of one delivery: so many of its notices are new, so many had been kept before; ``newest``: row id, 0 if none is new."""

    kept: int
    seen_before: int
    newest: int


@dataclass(frozen=True)
class _Delivery:
    notices: Sequence[Notice]
    counted: asyncio.Future[Counted]


class GroupCommit:
    """Keeps notices in the inbox, those of many deliveries in one commit."""

    def __init__(self) -> None:
        self._gathering: list[_Delivery] = []
        self._writers: set[asyncio.Task[None]] = set()

    async def keep(self, notices: Sequence[Notice]) -> Counted:
        """
        Keep the notices and return when they are committed.

        Raises:
            TimeoutError: That took too long; whether they are kept is not known, and the provider should come again.
            Exception: What the database said.
        """
        if not notices:
            return Counted(0, 0, 0)
        counted: asyncio.Future[Counted] = asyncio.get_running_loop().create_future()
        self._gathering.append(_Delivery(notices, counted))
        if len(self._writers) < COMMITS_AT_ONCE:
            self._writers.add(asyncio.create_task(self._write()))
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await counted

    async def drained(self) -> None:
        """Everything that was gathered is committed, or has failed."""
        if self._writers:
            await asyncio.wait(self._writers)

    async def _write(self) -> None:
        while self._gathering:
            batch = self._next_batch()
            try:
                await _keep_together(batch)
            except Exception as failure:  # noqa: BLE001 - whatever it is, it is told to each of those who wait
                for one in batch:
                    if not one.counted.done():
                        one.counted.set_exception(failure)
        # Here and not when the task is done, a moment later: who comes in between would wait for a writer that has left.
        self._writers = {writer for writer in self._writers if writer is not asyncio.current_task()}

    def _next_batch(self) -> list[_Delivery]:
        """Return who comes first, as many as one statement should carry, without those who have gone meanwhile."""
        waiting = [one for one in self._gathering if not one.counted.done()]
        number = size = taken = 0
        for one in waiting:
            number, size = number + len(one.notices), size + sum(len(notice.content) for notice in one.notices)
            if taken and (number > BATCH_NOTICES or size > BATCH_BYTES):
                break
            taken += 1
        self._gathering = waiting[taken:]
        return waiting[:taken]


async def _keep_together(batch: Sequence[_Delivery]) -> None:
    kept = await keep([notice for one in batch for notice in one.notices])
    new = set(kept.new)
    for one in batch:
        mine = {notice.identity for notice in one.notices} & new
        new -= mine  # two deliveries of the same notice in one batch: it is new once
        if not one.counted.done():
            one.counted.set_result(Counted(len(mine), len(one.notices) - len(mine), kept.newest if mine else 0))
