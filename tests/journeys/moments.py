"""Moments at which runs are held, in the database, so that a test can kill their process exactly there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.journeys.hub_under_test import Hub

LOCK = 4711
"""An advisory lock of the tests' own: whoever comes to a moment waits for it."""


@dataclass(frozen=True)
class Moment:
    """Right before a row of ``table`` is inserted, or updated, with ``condition`` true of it: SQL about ``NEW``, and ``OLD``."""

    table: str
    condition: str
    action: str = "INSERT"


@asynccontextmanager
async def held_at(hub: Hub, *moments: Moment) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """
    While the block runs, whoever comes to one of the moments waits there; yields a condition that says whether each moment has somebody.

    They are let go when the block ends; nothing of what a process that died meanwhile was about to commit is committed.
    """
    async with hub.database() as holder, hub.database() as observer:
        await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
        for number, moment in enumerate(moments):
            await observer.execute(f"""
                CREATE FUNCTION wait_for_the_test_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF {moment.condition} THEN PERFORM pg_advisory_xact_lock_shared({LOCK}); END IF; RETURN NEW; END $$;
                CREATE TRIGGER wait_for_the_test_{number} BEFORE {moment.action} ON {moment.table}
                FOR EACH ROW EXECUTE FUNCTION wait_for_the_test_{number}();
            """)

        async def all_wait() -> bool:
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1"
            return bool(await observer.fetchval(locks, LOCK) == len(moments))

        try:
            yield all_wait
        finally:
            await holder.execute("SELECT pg_advisory_unlock($1)", LOCK)
            for number in range(len(moments)):
                await observer.execute(f"DROP FUNCTION wait_for_the_test_{number} CASCADE")
