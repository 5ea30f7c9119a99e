"""What is open now, read from the rows over indexes that hold nothing else, so that it costs what is open and not what ever was."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.database import transaction
from hub.kinds import KINDS

Values = dict[tuple[str, ...], float]

_OPEN_EFFECTS = text(
    """
    SELECT provider, action, state, count(*) FROM effects WHERE state IN ('intended', 'pending', 'unknown')
    GROUP BY provider, action, state
    """
)
_UNANSWERED = text(
    """
    SELECT provider, action, count(*) FILTER (WHERE outcome IS NULL), extract(epoch FROM clock_timestamp() - min(started_at))
    FROM effects JOIN attempts ON effect_key = key
    WHERE state IN ('intended', 'pending', 'unknown') AND attempts.kind = 'call' AND (outcome IS NULL OR outcome = 'unknown')
    GROUP BY provider, action
    """
)
_BACKLOG = text(
    """
    SELECT provider, state, count(*), extract(epoch FROM clock_timestamp() - min(received_at)) FROM notices
    WHERE next_at IS NOT NULL GROUP BY provider, state
    """
)
_STUCK = text("SELECT provider, state, count(*) FROM notices WHERE state IN ('failed', 'quarantined') GROUP BY provider, state")
_REFUSED = text("SELECT provider, count FROM refused_deliveries")
_AUDIT = text("SELECT broken, extract(epoch FROM clock_timestamp() - at) FROM payment_audit_check")
_WAITING = """
    SELECT count(*) FILTER (WHERE resume_at > now), count(*) FILTER (WHERE resume_at <= now),
        coalesce(extract(epoch FROM max(now - resume_at) FILTER (WHERE resume_at <= now)), 0)
    FROM {table}, LATERAL clock_timestamp() now WHERE resume_at IS NOT NULL AND (lease_until IS NULL OR lease_until <= now)
"""
_ATTENTION = "SELECT count(*) FROM {table} WHERE attention IS NOT NULL"
_OF_KIND = {
    name: tuple(text(statement.format(table=kind.row.__tablename__)) for statement in (_WAITING, _ATTENTION))
    for name, kind in KINDS.items()
}


@dataclass
class Seen:
    """
    What was open at one moment, by label values; ages in seconds of database time.

    ``audit``: how many chains of the payment audit log were broken when it was last followed, and how long ago that was.
    """

    open_effects: Values = field(default_factory=dict)
    in_flight: Values = field(default_factory=dict)
    unanswered_age: Values = field(default_factory=dict)
    backlog: Values = field(default_factory=dict)
    backlog_age: Values = field(default_factory=dict)
    stuck: Values = field(default_factory=dict)
    refused_deliveries: Values = field(default_factory=dict)
    parked: Values = field(default_factory=dict)
    due: Values = field(default_factory=dict)
    due_age: Values = field(default_factory=dict)
    attention: Values = field(default_factory=dict)
    audit: tuple[float, float] | None = None


async def look() -> Seen:
    """Return what is open now."""
    async with transaction() as session:
        seen = Seen()
        await _look_at_calls(session, seen)
        await _look_at_the_inbox(session, seen)
        await _look_at_subjects(session, seen)
        for broken, age in (await (await session.connection()).execute(_AUDIT)).all():
            seen.audit = (float(broken), float(age))
        return seen


async def _look_at_calls(session: AsyncSession, seen: Seen) -> None:
    connection = await session.connection()
    for provider, action, state, number in await connection.execute(_OPEN_EFFECTS):
        seen.open_effects[provider, action, state] = number
    for provider, action, in_flight, age in await connection.execute(_UNANSWERED):
        seen.in_flight[provider, action] = in_flight
        seen.unanswered_age[provider, action] = float(age)


async def _look_at_the_inbox(session: AsyncSession, seen: Seen) -> None:
    connection = await session.connection()
    for provider, state, number, age in await connection.execute(_BACKLOG):
        seen.backlog[provider, state] = number
        seen.backlog_age[provider, state] = float(age)
    for provider, state, number in await connection.execute(_STUCK):
        seen.stuck[provider, state] = number
    for provider, number in await connection.execute(_REFUSED):
        seen.refused_deliveries[provider,] = number


async def _look_at_subjects(session: AsyncSession, seen: Seen) -> None:
    connection = await session.connection()
    for kind, (waiting, attention) in _OF_KIND.items():
        parked, due, age = (await connection.execute(waiting)).one()
        seen.parked[kind,], seen.due[kind,], seen.due_age[kind,] = parked, due, float(age)
        seen.attention[kind,] = (await connection.execute(attention)).scalar_one()
