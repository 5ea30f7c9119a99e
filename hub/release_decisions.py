"""What a run decides about its release, each decision one commit under the run's claim."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.beginning import intend_once
from hub.claims import hold
from hub.composing import compose
from hub.database import transaction
from hub.deploying import DeploymentStatus, meaning_of
from hub.effects import Effect
from hub.facts import NewsMissing
from hub.messages import MessageUpdate, PostedMessage, TeamMessage
from hub.notification_types import RELEASE
from hub.release_facets import ReleaseStage
from hub.release_rows import waits_until
from hub.release_tables import ReleaseRow
from hub.releases import Release
from hub.steps import EffectState
from hub.subject_rows import database_now, record, snapshot
from hub.tables import EffectRow


async def caught_up(release: Release) -> Release:
    """Return the release as it is by now, to be held on by the same run."""
    async with transaction() as session:
        row: ReleaseRow = await hold(session, release)
        await _drop_what_is_over(session, row)
        return _as_held(row, release)


async def is_silent(release: Release) -> bool:
    """Tell whether nobody has told anything for too long."""
    async with transaction() as session:
        return await _patience_has_ended(session, await hold(session, release))


async def hear(release: Release, statuses: Sequence[DeploymentStatus]) -> None:
    """Commit what a look at GitHub has shown, as if the webhooks had come."""
    async with transaction() as session:
        row: ReleaseRow = await hold(session, release)
        for status in statuses:
            await record(session, row, meaning_of(status, row.deployment_id or 0, row.id), source="resolver")


async def give_up_waiting(release: Release) -> None:
    """Commit that nobody has told anything for too long, and the mark that GitHub gets; nothing when somebody has."""
    async with transaction() as session:
        row: ReleaseRow = await hold(session, release)
        if await _patience_has_ended(session, row):
            await record(session, row, NewsMissing(status_id=row.status_id), source="clock")
            now = _as_held(row, release)
            await intend_once(session, now.effect(f"mark.{row.changes}", now.mark_request()))


async def _patience_has_ended(session: AsyncSession, row: ReleaseRow) -> bool:
    until = waits_until(row)
    return until is not None and until <= await database_now(session)


async def _drop_what_is_over(session: AsyncSession, row: ReleaseRow) -> None:
    """End what was intended and never sent, and is not true any more: an update by an earlier number, a mark of a release that goes on."""
    mine = (col(EffectRow.subject_kind) == "release", col(EffectRow.subject_id) == row.id)
    stale = and_(col(EffectRow.step).startswith("update."), col(EffectRow.step) != f"update.{row.changes}")
    if row.stage != ReleaseStage.TIMED_OUT:
        stale = or_(stale, col(EffectRow.step).startswith("mark."))
    over = update(EffectRow).where(*mine, col(EffectRow.state) == EffectState.INTENDED, stale)
    await session.exec(over.values(state=EffectState.REFUSED, code="superseded", resume_at=None))


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
    request = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text=said.text, metadata=said.metadata)
    return release.effect(f"update.{release.changes}", request)


async def _posted(session: AsyncSession, release: Release) -> PostedMessage | None:
    effect = await session.get(EffectRow, release.effect_key(RELEASE.step))
    if effect is None or effect.state != EffectState.DONE:
        return None
    return PostedMessage.model_validate(effect.result)


def _as_held(row: ReleaseRow, release: Release) -> Release:
    held: Release = snapshot(row, release.hub_id, release.run_id, due=release.due)
    return held
