"""What a provider had told and nobody here had heard: taken in like any webhook, and listed where it was news."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import tuple_
from sqlmodel import col, select

from hub.applying import says_something_new
from hub.database import transaction
from hub.handling import handle_some
from hub.inbox_tables import NoticeRow
from hub.notices import Notice, NoticeState
from hub.reconciliation.comparing import Difference, What

_UNDERSTOOD = (NoticeState.HANDLED, NoticeState.QUARANTINED, NoticeState.FAILED)


async def what_was_missed(pulled: Sequence[Notice]) -> list[Difference]:
    """
    Handle what was just kept, and return what of it was news to us; what only says what is known is no difference.

    What cannot be handled now, because a run has its subject locked, is left to the inbox.
    """
    if not pulled:
        return []
    while (await handle_some()).by_state:
        pass
    mine = tuple_(col(NoticeRow.provider), col(NoticeRow.event_id)).in_([notice.identity for notice in pulled])
    async with transaction() as session:
        rows = await session.exec(select(NoticeRow).where(mine, col(NoticeRow.state).in_(_UNDERSTOOD)).order_by(col(NoticeRow.id)))
        return [_missed(row) for row in rows if row.state != NoticeState.HANDLED or says_something_new(row.outcome or "")]


def _missed(row: NoticeRow) -> Difference:
    subject = None if row.subject_kind is None or row.subject_id is None else (row.subject_kind, row.subject_id)
    taken_in = row.state == NoticeState.HANDLED
    return Difference(
        provider=row.provider,
        what=What.MISSED,
        reference=row.event_id,
        subject=subject,
        ledger=row.outcome if taken_in and row.outcome else row.state,
        there=row.kind,
        certain=taken_in,
        repaired=taken_in,
    )
