"""A subject that gets another status, or needs a person: who wants to hear of it does so once it is committed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.changes import Changes
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.tables import SubjectColumns


class StatusChange(Frozen):
    """
    The subject's status was ``before`` and is ``status``. ``attention``: what a person is asked to look at since this moment, if anything.

    It is in our words and holds nothing of a customer.
    """

    subject_kind: str
    subject_id: str
    correlation_id: str
    status: str
    before: str
    attention: str | None


_changes = Changes[StatusChange]("status_changes")
statuses_told_to = _changes.told_to


@contextmanager
def changing(session: AsyncSession, kind: str, row: SubjectColumns) -> Iterator[None]:
    """What the block does to the row is told, if it changes its status or calls for a person, once the session has committed it."""
    before, attention = row.status, row.attention
    yield
    called = row.attention if row.attention != attention else None
    if row.status != before or called is not None:
        names = {"subject_kind": kind, "subject_id": row.id, "correlation_id": row.correlation_id}
        _changes.tell(session, StatusChange(**names, status=row.status, before=before, attention=called))
