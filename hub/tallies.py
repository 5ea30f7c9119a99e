"""
What is counted over all history, exactly, without reading all history.

Every event that counts writes one narrow entry in its own commit: triggers of the database do (migration 0012), for ended calls, ended
notices, subjects that change their status and payment operations; ``tally`` does for what no row shows. Whoever writes each thousandth
entry folds: takes all entries away and adds them to the tallies. Both together, read in one statement, are what was ever counted. An entry
is counted once it is committed and never again, nobody waits for anybody, and what is deleted later was counted before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, text

from hub.tally_tables import TallyEntryRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

CALL, RETRY, LIMITED, DUPLICATE = "call", "retry", "limited", "duplicate"
NOTICE, SUBJECT, AUDIT = "notice", "subject", "audit"

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, float("inf"))
"""Upper bounds of durations, in seconds, as ``bucket_of_seconds`` of migration 0012 has them."""

_EVER_COUNTED = text(
    """
    SELECT name, labels, le, sum(count), sum(total)
    FROM (
        SELECT name, labels, le, count, total FROM tallies UNION ALL SELECT name, labels, le, 1, value FROM tally_entries
    ) counted GROUP BY name, labels, le
    """
)


@dataclass(frozen=True)
class Tally:
    """How often it happened and what it came to: seconds, minor units, or rows; ``le`` is the bucket of durations."""

    name: str
    labels: tuple[str, ...]
    le: float
    count: int
    total: float


async def tally(session: AsyncSession, name: str, *labels: str) -> None:
    """Count that it happened."""
    await session.exec(insert(TallyEntryRow).values(name=name, labels=list(labels), value=1))


async def tally_seconds(session: AsyncSession, name: str, *labels: str, seconds: float) -> None:
    """Count that it happened and how long it took."""
    bucket = next(bound for bound in BOUNDS if seconds <= bound)
    await session.exec(insert(TallyEntryRow).values(name=name, labels=list(labels), value=seconds, le=bucket))


async def tallies(session: AsyncSession) -> list[Tally]:
    """Return what was ever counted and is committed by now."""
    return [
        Tally(name, tuple(labels), le, int(count), float(total))
        for name, labels, le, count, total in await (await session.connection()).execute(_EVER_COUNTED)
    ]
