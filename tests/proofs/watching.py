"""When the hub has caught up: looks into its database, one question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg

from tests.journeys.hub_under_test import until
from tests.proofs.letters import Post
from tests.proofs.lives import WAIT_SECONDS

RESTING = """
    SELECT count(*) FROM orders WHERE id = $1 AND resume_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
"""
BUSY = """
    SELECT count(*) FROM orders WHERE id = ANY($1) AND (resume_at IS NOT NULL OR lease_until > clock_timestamp())
"""
OPEN = """
    SELECT count(*) FROM effects WHERE subject_id = ANY($1) AND (state IN ('intended', 'unknown', 'pending') OR resume_at IS NOT NULL)
"""


class Watch:
    """Sees how far the hub is. ``post``: which letters the gateway should know of."""

    def __init__(self, database: asyncpg.Connection, post: Post) -> None:
        self._database, self._post = database, post
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, question: str, *values: object) -> int:
        async with self._one_at_a_time:
            return int(await self._database.fetchval(question, *values) or 0)

    async def caught_up(self, order_id: str) -> None:
        """Return when all letters of the order were delivered and handled, and no run of it is due or under way."""
        letters = -1
        while letters != len(self._post.of(order_id)):  # what was done meanwhile may have brought more
            letters = len(self._post.of(order_id))
            await self._wait(partial(self._are_told, order_id), f"the letters of {order_id} to be delivered")
            newest = await self.ask("SELECT max(id) FROM notices")
            await self._wait(partial(self._is_handled, newest), f"everything up to notice {newest} to be handled")
            await self._wait(partial(self._rests, order_id), f"{order_id} to rest")

    async def announced(self, order_id: str) -> None:
        """Return when the hub has confirmed the order: what it does for every order is done."""
        question = "SELECT count(*) FROM facts WHERE subject_id = $1 AND kind = 'announced'"

        async def there() -> bool:
            return await self.ask(question, order_id) > 0

        await self._wait(there, f"{order_id} to be confirmed")

    async def all_quiet(self, order_ids: list[str]) -> None:
        """Return when no notice is due, and nothing of these orders is due, under way or open."""

        async def quiet() -> bool:
            due = await self.ask("SELECT count(*) FROM notices WHERE next_at IS NOT NULL")
            return due + await self.ask(BUSY, order_ids) + await self.ask(OPEN, order_ids) == 0

        await self._wait(quiet, "the hub to come to rest")

    async def _are_told(self, order_id: str) -> bool:
        return all(letter.told.is_set() for letter in self._post.of(order_id))

    async def _is_handled(self, newest: int) -> bool:
        return await self.ask("SELECT count(*) FROM notices WHERE next_at IS NOT NULL AND id <= $1", newest) == 0

    async def _rests(self, order_id: str) -> bool:
        return await self.ask(RESTING, order_id) == 1

    async def _wait(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        await until(condition, seconds=WAIT_SECONDS, what=lambda: what)
