"""A look into the inbox of a running stack, in database time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import make_url

LOOK_SECONDS = 0.02
REST_SECONDS = 3.0
"""Longer than a run that has drained the inbox stays and looks for more."""


def address_of(url: str) -> dict[str, Any]:
    """What asyncpg needs to connect to the embedded database at ``url``."""
    parsed = make_url(url)
    return {"host": parsed.query.get("host", parsed.host), "user": parsed.username, "database": parsed.database}


class InboxView:
    """The notices as the database has them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def now(self) -> datetime:
        """What the database's clock says."""
        return await self._connection.fetchval("SELECT clock_timestamp()")

    async def newest(self) -> int:
        """The row id of the last notice."""
        return int(await self._connection.fetchval("SELECT coalesce(max(id), 0) FROM notices"))

    async def until_handled(self, after: int, number: int, limit_seconds: float) -> dict[str, datetime]:
        """When each of ``number`` events kept ``after`` that row was first seen as handled, by event id; fewer at the limit."""
        seen: dict[str, datetime] = {}
        deadline = time.monotonic() + limit_seconds
        while len(seen) < number and time.monotonic() < deadline:
            rows = await self._connection.fetch(
                "SELECT event_id, clock_timestamp() AS now FROM notices WHERE provider = 'custom' AND id > $1 AND state = 'handled'", after
            )
            for row in rows:
                seen.setdefault(row["event_id"], row["now"])
            await asyncio.sleep(LOOK_SECONDS)
        return seen

    async def facts(self, kind: str, orders: str) -> int:
        """How many facts of this kind there are that webhooks told of orders whose id begins so."""
        found = "SELECT count(*) FROM facts WHERE source = 'webhook' AND kind = $1 AND starts_with(subject_id, $2)"
        return int(await self._connection.fetchval(found, kind, orders))

    async def handling_rate(self, after: int) -> float:
        """Notices a second, from the first to the last that was handled of those kept ``after`` that row."""
        row = await self._connection.fetchrow(
            "SELECT count(*) AS number, extract(epoch FROM max(handled_at) - min(handled_at)) AS seconds FROM notices WHERE id > $1", after
        )
        return float(row["number"] / row["seconds"]) if row["seconds"] else 0.0

    async def until_idle(self, limit_seconds: float) -> bool:
        """Whether nothing was due any more for a while, so that no run watches the inbox, before the limit."""
        deadline = time.monotonic() + limit_seconds
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            if await self._connection.fetchval("SELECT count(*) FROM notices WHERE next_at <= clock_timestamp()"):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > REST_SECONDS:
                return True
            await asyncio.sleep(10 * LOOK_SECONDS)
        return False


@asynccontextmanager
async def inbox_of(database_url: str) -> AsyncIterator[InboxView]:
    """The inbox in the database at ``database_url``."""
    connection = await asyncpg.connect(**address_of(database_url))
    try:
        yield InboxView(connection)
    finally:
        await connection.close()
