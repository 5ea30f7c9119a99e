"""How a warm worker finds work: at once when there is news, less and less often when nothing comes, and never more than fits in."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_logger

from deployments.warm.hands import Hands
from deployments.warm.settings import WorkerSettings

log = get_logger("hub_warm")
QUICK_SECONDS = 0.05
"""The shortest pause between two looks for work; every look costs the server 10 ms."""
LOOK_AHEAD_SECONDS = 1.0
AT_ONCE = 50
"""Runs that one look takes at most, so that several workers of a pool share a crowd."""


class Seeker:
    """Looks into the queues of ``pool`` (into all of them when ``queues`` is empty) and hands over what is due."""

    def __init__(self, client: PrefectClient, pool: str, queues: set[str], hands: Hands, settings: WorkerSettings) -> None:
        self.looked: Callable[[], None] = lambda: None
        self._client, self._pool, self._queues, self._hands, self._settings = client, pool, sorted(queues), hands, settings
        self._janitor_queue_id: UUID | None = None
        self._next_due: datetime | None = None

    async def seek(self) -> None:
        """Look for work for ever."""
        pause_seconds = QUICK_SECONDS
        while True:
            self._hands.news.clear()
            try:
                found = await self.look()
            except (httpx.HTTPError, OSError) as failure:
                log.debug("the server did not say what there is to do: %s", failure)
                found = 0
            except Exception:
                log.exception("the work could not be looked for; trying again")
                found = 0
            pause_seconds = QUICK_SECONDS if found else min(pause_seconds * 2, self._settings.idle_seconds)
            await asyncio.sleep(QUICK_SECONDS)
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes together with the news. A worker went on seeking
                # after SIGTERM and was killed 18 s later.
                async with asyncio.timeout(min(pause_seconds, self._next_due_in())):
                    await self._hands.news.wait()
                pause_seconds = QUICK_SECONDS

    async def look(self) -> int:
        """Take the runs that are due and that there is a place for; returns how many. Remembers when the next one is due."""
        self.looked()
        queues = self._queues
        if self._hands.places(janitor=False) <= 0:
            queues = [self._settings.janitor_queue]
            if self._hands.places(janitor=True) <= 0 or (self._queues and queues[0] not in self._queues):
                return 0
        due = await self._due(queues, min(self._hands.places(janitor=True), AT_ONCE))
        random.shuffle(due)  # other workers of the pool have been told the same
        had, now, taken = self._hands.ids(), datetime.now(UTC), 0
        self._next_due = None
        for one in due:
            janitor, at = one.work_queue_id == self._janitor_queue_id, one.flow_run.next_scheduled_start_time
            if at is not None and at > now:
                self._next_due = at if self._next_due is None else min(at, self._next_due)
            elif one.flow_run.id not in had and self._hands.places(janitor=janitor) > 0:
                self._hands.take(one.flow_run, janitor=janitor)
                taken += 1
        return taken

    def _next_due_in(self) -> float:
        """Seconds until the next run that is known of is due."""
        return float("inf") if self._next_due is None else max((self._next_due - datetime.now(UTC)).total_seconds(), 0)

    async def _due(self, queues: list[str], limit: int) -> list[WorkerFlowRunResponse]:
        """What is due, or will be before the next look, the janitor's first. Prefect's client can ask the same, but without a limit."""
        until = datetime.now(UTC) + timedelta(seconds=self._settings.idle_seconds + LOOK_AHEAD_SECONDS)
        body: dict[str, Any] = {"limit": limit, "scheduled_before": until.isoformat()}
        if queues:
            body["work_queue_names"] = queues
        try:
            if self._janitor_queue_id is None:
                await self._find_the_janitor()
            answer = await self._client.request(
                "POST", "/work_pools/{name}/get_scheduled_flow_runs", path_params={"name": self._pool}, json=body
            )
        except httpx.HTTPStatusError as refusal:
            if refusal.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return []  # the pool is not made yet, or made anew
        return WorkerFlowRunResponse.model_validate_list(answer.json())

    async def _find_the_janitor(self) -> None:
        with contextlib.suppress(ObjectNotFound):
            queue = await self._client.read_work_queue_by_name(self._settings.janitor_queue, work_pool_name=self._pool)
            self._janitor_queue_id = queue.id
