"""What needs a person, and Slack does not take: whoever is on call is mailed, while Slack is tried on."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, func
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from hub.database import transaction
from hub.falling_back import fall_back
from hub.notification_steps import CARRIERS
from hub.notification_types import ATTENTION, ATTENTION_MAIL
from hub.settings import settings
from hub.steps import OPEN_STATES
from hub.subject_rows import locked
from hub.tables import EffectRow


async def mail_what_is_unheard() -> list[tuple[str, str]]:
    """
    Intend the mail about each call for attention that Slack has not taken within ``HUB_ATTENTION_MAIL_SECONDS``; the next run sends it.

    Returns whom they are about, as kinds and ids.
    """
    if settings().attention_mail is None:
        return []
    patience = timedelta(seconds=settings().attention_mail_seconds * settings().time_scale)
    mail = aliased(EffectRow)
    mailed = exists().where(
        col(mail.subject_kind) == col(EffectRow.subject_kind),
        col(mail.subject_id) == col(EffectRow.subject_id),
        col(mail.step) == func.replace(col(EffectRow.step), f"{ATTENTION.step}.", f"{ATTENTION_MAIL.step}."),
    )
    unheard = (
        select(col(EffectRow.subject_kind), col(EffectRow.subject_id), col(EffectRow.step))
        .where(col(EffectRow.provider) == CARRIERS[ATTENTION.channel].provider, col(EffectRow.state).in_(OPEN_STATES))
        .where(col(EffectRow.step).startswith(f"{ATTENTION.step}."))
        .where(col(EffectRow.created_at) < func.clock_timestamp() - patience, ~mailed)
    )
    async with transaction() as session:
        found = list(await session.exec(unheard))
    about = []
    for kind, subject_id, step in found:
        async with transaction() as session:
            row, _ = await locked(session, subject_id, kind)
            if row.attention is not None:
                await fall_back(session, row, step)
                about.append((kind, subject_id))
    return about
