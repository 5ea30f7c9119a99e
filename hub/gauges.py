"""What is open now, read in one statement over indexes that hold nothing else, so that it costs what is open and not what ever was."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import text

from hub.kinds import KINDS

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

Values = dict[tuple[str, ...], float]

_OPEN_EFFECTS = """
    SELECT 'provider_open_effects' AS metric, ARRAY[provider, action, state] AS labels, count(*)::float8 AS value
    FROM effects WHERE state IN ('intended', 'pending', 'unknown') GROUP BY provider, action, state
"""
_UNANSWERED = """
    SELECT metric, ARRAY[provider, action], value::float8
    FROM (
        SELECT provider, action, count(*) FILTER (WHERE outcome IS NULL) AS in_flight, max(clock_timestamp() - started_at) AS age
        FROM effects JOIN attempts ON effect_key = key
        WHERE state IN ('intended', 'pending', 'unknown') AND attempts.kind = 'call' AND (outcome IS NULL OR outcome = 'unknown')
        GROUP BY provider, action
    ) calls, LATERAL (VALUES ('provider_calls_in_flight', in_flight), ('provider_unanswered_age_seconds', extract(epoch FROM age)))
        AS shown (metric, value)
"""
_BACKLOG = """
    SELECT metric, ARRAY[provider, state], value::float8
    FROM (
        SELECT provider, state, count(*) AS number, max(clock_timestamp() - received_at) AS age
        FROM notices WHERE next_at IS NOT NULL GROUP BY provider, state
    ) waiting, LATERAL (VALUES ('inbox_backlog', number), ('inbox_backlog_age_seconds', extract(epoch FROM age))) AS shown (metric, value)
"""
_STUCK = """
    SELECT 'inbox_stuck_notices', ARRAY[provider, state], count(*)::float8
    FROM notices WHERE state IN ('failed', 'quarantined') GROUP BY provider, state
"""
_REFUSED = "SELECT 'inbox_refused_deliveries', ARRAY[provider], count::float8 FROM refused_deliveries"
_AUDIT = """
    SELECT metric, '{}'::text[], value::float8
    FROM payment_audit_check, LATERAL (
        VALUES ('payment_audit_broken_chains', broken), ('payment_audit_check_age_seconds', extract(epoch FROM clock_timestamp() - at))
    ) AS shown (metric, value)
"""
_WAITING = """
    SELECT metric, ARRAY['{kind}'], value::float8
    FROM (
        SELECT count(*) FILTER (WHERE resume_at > now) AS parked, count(*) FILTER (WHERE resume_at <= now) AS due,
            max(now - resume_at) FILTER (WHERE resume_at <= now) AS late
        FROM {table}, LATERAL clock_timestamp() now WHERE resume_at IS NOT NULL AND (lease_until IS NULL OR lease_until <= now)
    ) waiting, LATERAL (
        VALUES ('subjects_parked', parked), ('subjects_due', due), ('subjects_due_age_seconds', coalesce(extract(epoch FROM late), 0))
    ) AS shown (metric, value)
"""
_ATTENTION = "SELECT 'subjects_needing_attention', ARRAY['{kind}'], count(*)::float8 FROM {table} WHERE attention IS NOT NULL"
_OF_EACH_KIND = [part.format(kind=kind.name, table=kind.row.__tablename__) for kind in KINDS.values() for part in (_WAITING, _ATTENTION)]
_ALL = text(" UNION ALL ".join([_OPEN_EFFECTS, _UNANSWERED, _BACKLOG, _STUCK, _REFUSED, _AUDIT, *_OF_EACH_KIND]))


async def look(session: AsyncSession) -> dict[str, Values]:
    """Return what is open now: values by the names of the metrics and by label values, ages in seconds of database time."""
    seen: dict[str, Values] = defaultdict(dict)
    for metric, labels, value in await (await session.connection()).execute(_ALL):
        seen[metric][tuple(labels)] = value
    return seen
