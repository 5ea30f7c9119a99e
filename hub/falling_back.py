"""What follows where a notification did not arrive: its fallback, intended in the commit that learns of it, and sent by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from hub.intending import intend
from hub.kinds import kind_of
from hub.notification_model import NotificationType
from hub.notification_types import ATTENTION, ATTENTION_MAIL, fallbacks_of
from hub.settings import settings
from hub.subject_rows import as_it_is, database_now
from hub.subjects import Subject
from hub.tables import EffectRow, SubjectColumns
from hub.team_threads import compose_reply

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


async def fall_back(session: AsyncSession, row: SubjectColumns, step: str) -> None:
    """Intend what is sent instead of the notification ``step``, once: the first of its fallbacks that suits the recipient, if any."""
    fallbacks = fallbacks_of(kind_of(row).name, step)
    if not fallbacks:
        return
    subject: Subject = await as_it_is(session, row)
    instead = next((what for what in fallbacks if _reaches(what, subject, row)), None)
    if instead is None:
        return
    number = step.removeprefix(ATTENTION.step) if instead is ATTENTION_MAIL else ""
    step = f"{instead.step}{number}"
    mine = (col(EffectRow.subject_kind) == subject.kind, col(EffectRow.subject_id) == subject.id, col(EffectRow.step) == step)
    if (await session.exec(select(EffectRow.key).where(*mine))).first() is not None:
        return
    now = await database_now(session)
    message = await compose_reply(session, instead, subject, reason=row.attention)
    (await intend(session, subject.effect(step, message), now)).resume_at = now
    row.epoch, row.resume_at = row.epoch + 1, now


def _reaches(what: NotificationType, subject: Subject, row: SubjectColumns) -> bool:
    """Tell whether there is somebody whom it can reach, and who has not said no; nobody is called for what was seen to meanwhile."""
    if what is ATTENTION_MAIL:
        return settings().attention_mail is not None and row.attention is not None
    return subject.recipient is not None and what.suits(subject.recipient)
