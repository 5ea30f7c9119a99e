"""The inbox: what providers tell us is kept here before it is answered, and stays until it was understood and acted on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Double, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TEXT

from hub.database import engine, transaction
from hub.notices import Notice, NoticeState
from hub.settings import settings
from hub.values import Frozen

CLEARED_AT_ONCE = 5000
"""More wait for the next sweep, so that no transaction is long."""
DAY_SECONDS = 86_400

_KEEP = text(
    """
    INSERT INTO notices (provider, event_id, kind, content, state, next_at)
    SELECT provider, event_id, kind, content, state, CASE WHEN state = 'kept' THEN clock_timestamp() END
    FROM unnest(:providers, :event_ids, :kinds, :contents, :states) AS new (provider, event_id, kind, content, state)
    ON CONFLICT DO NOTHING
    RETURNING id, provider, event_id
    """
).bindparams(
    bindparam("providers", type_=ARRAY(TEXT)),
    bindparam("event_ids", type_=ARRAY(TEXT)),
    bindparam("kinds", type_=ARRAY(TEXT)),
    bindparam("contents", type_=ARRAY(BYTEA)),
    bindparam("states", type_=ARRAY(TEXT)),
)


# The states stand in the text, not among the parameters: so PostgreSQL knows that the index `notices_to_clear` has them all.
_CLEAR = text(
    """
    UPDATE notices SET content = NULL WHERE id IN (
        SELECT id FROM notices
        WHERE content IS NOT NULL AND state IN ('handled', 'not_for_us')
        AND handled_at < clock_timestamp() - make_interval(secs => :seconds)
        ORDER BY handled_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    """
).bindparams(bindparam("seconds", type_=Double()))


class Kept(Frozen):
    """What came of keeping: the identities that were new, and the highest row id among them (0: none was new)."""

    new: frozenset[tuple[str, str]]
    newest: int = 0


async def keep(notices: Sequence[Notice]) -> Kept:
    """Keep what was not kept before, in one commit; what was is left alone. A notice that nobody can read is kept as failed."""
    if not notices:
        return Kept(new=frozenset())
    sorted_alike = sorted(notices, key=lambda notice: notice.identity)  # two that keep the same at once wait, and never for each other
    values = {
        "providers": [notice.provider for notice in sorted_alike],
        "event_ids": [notice.event_id for notice in sorted_alike],
        "kinds": [notice.kind for notice in sorted_alike],
        "contents": [notice.content for notice in sorted_alike],
        "states": [NoticeState.KEPT if notice.readable else NoticeState.FAILED for notice in sorted_alike],
    }
    async with (await engine()).connect() as connection:
        single = await connection.execution_options(isolation_level="AUTOCOMMIT")  # one statement: BEGIN and COMMIT would be two more trips
        rows = (await single.execute(_KEEP, values)).all()
    return Kept(new=frozenset((row.provider, row.event_id) for row in rows), newest=max((row.id for row in rows), default=0))


async def clear_old_content(most: int = CLEARED_AT_ONCE) -> int:
    """
    Forget what was in notices that were handled, or were not for us, more than ``HUB_NOTICE_CONTENT_DAYS`` ago; return how many.

    Their identity, outcome and subject stay: told again, they are seen before. What failed, is early or is quarantined keeps its content,
    because a person or a later moment still needs it.
    """
    async with transaction() as session:
        cleared = await session.connection()
        return (await cleared.execute(_CLEAR, {"seconds": settings().notice_content_days * DAY_SECONDS, "most": most})).rowcount
