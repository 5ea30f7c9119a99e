"""What a run decides about its release, each decision one commit under the run's claim."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from hub.beginning import intend_once
from hub.claims import hold
from hub.composing import compose
from hub.database import transaction
from hub.effects import Effect
from hub.facts import NewsMissing
from hub.messages import MessageUpdate, PostedMessage, TeamMessage
from hub.notification_types import RELEASE
from hub.release_rows import waits_until
from hub.release_tables import ReleaseRow
from hub.releases import Release
from hub.steps import EffectState
from hub.subject_rows import database_now, record, snapshot
from hub.tables import EffectRow


async def caught_up(release: Release) -> Release:
    """
    Return the release as it is by now, to be held on by the same run.

    When nobody has told anything for too long, that is committed first, and with it the mark that GitHub gets.
    """
    async with transaction() as session:
        row: ReleaseRow = await hold(session, release)
        until = waits_until(row)
        if until is not None and until <= await database_now(session):
            await record(session, row, NewsMissing(status_id=row.status_id), source="clock")
            now = _as_held(row, release)
            await intend_once(session, now.effect(f"mark.{row.changes}", now.mark_request()))
        return _as_held(row, release)


async def update_of(release: Release) -> Effect | None:
    """Return the update with which the team's message shows how far the release is; None while there is nothing to update."""
    if release.changes == 1:
        return None
    async with transaction() as session:
        posted = await _posted(session, release)
    if posted is None:
        return None
    said = compose(RELEASE, release)
    if not isinstance(said, TeamMessage):
        raise TypeError("the team is told in a channel")
    update = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text=said.text, metadata=said.metadata)
    return release.effect(f"update.{release.changes}", update)


async def _posted(session: AsyncSession, release: Release) -> PostedMessage | None:
    effect = await session.get(EffectRow, release.effect_key(RELEASE.step))
    if effect is None or effect.state != EffectState.DONE:
        return None
    return PostedMessage.model_validate(effect.result)


def _as_held(row: ReleaseRow, release: Release) -> Release:
    held: Release = snapshot(row, release.hub_id, release.run_id, due=release.due)
    return held
