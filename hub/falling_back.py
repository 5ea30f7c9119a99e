"""What follows where a notification did not arrive: its fallback, intended in the commit that learns of it, and sent by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from hub.composing import compose
from hub.intending import intend
from hub.kinds import kind_of
from hub.notification_types import fallbacks_of
from hub.subject_rows import as_it_is, database_now
from hub.subjects import Subject
from hub.tables import EffectRow, SubjectColumns

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


async def fall_back(session: AsyncSession, row: SubjectColumns, step: str) -> None:
    """Intend what is sent instead of the notification ``step``, once: the first of its fallbacks that suits the recipient, if any."""
    fallbacks = fallbacks_of(kind_of(row).name, step)
    if not fallbacks:
        return
    subject: Subject = await as_it_is(session, row)
    instead = next((what for what in fallbacks if subject.recipient is not None and what.suits(subject.recipient)), None)
    if instead is None:
        return
    mine = (col(EffectRow.subject_kind) == subject.kind, col(EffectRow.subject_id) == subject.id, col(EffectRow.step) == instead.step)
    if (await session.exec(select(EffectRow.key).where(*mine))).first() is not None:
        return
    now = await database_now(session)
    (await intend(session, subject.effect(instead.step, compose(instead, subject)), now)).resume_at = now
    row.epoch, row.resume_at = row.epoch + 1, now
