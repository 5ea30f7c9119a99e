"""
What is counted over all history, exactly, without reading all history.

Every event that counts writes one narrow entry in its own commit: triggers of the database do (migration 0012), for ended calls, ended
notices, subjects that change their status and payment operations; ``tally`` does for what no row shows. A fold takes the entries away and
adds them to the tallies, under a lock: whoever writes each thousandth entry folds, and so does whoever wants to know. An entry is counted
once it is committed and never again, nobody who settles waits for anybody, and what is deleted later was counted before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from hub.tables import metadata
from hub.tally_tables import TallyEntryRow, TallyRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

CALL, RETRY, LIMITED, DUPLICATE = "call", "retry", "limited", "duplicate"
NOTICE, SUBJECT, AUDIT = "notice", "subject", "audit"

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, float("inf"))
"""Upper bounds of durations, in seconds, as ``bucket_of_seconds`` of migration 0012 has them."""
_TALLIES = metadata.tables[TallyRow.__tablename__]


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
    """Return all tallies, with everything that is committed by now; others who want to know wait until the transaction ends."""
    connection = await session.connection()
    await connection.execute(select(func.fold_tallies()))
    rows = await connection.execute(select(_TALLIES))  # not as objects: labels that are a list cannot tell them apart
    return [Tally(name, tuple(labels), le, count, float(total)) for name, labels, le, count, total in rows]
