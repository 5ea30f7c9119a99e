"""
After a restore: no provider is asked anything until a person says that the rows are as right as they can be made.

A restored database knows nothing of what was done since its back-up was made. So while the hub is in recovery no run takes a subject and
Begin parks; what providers tell is applied. Afterwards, what may have been asked in between counts as asked, with nobody knowing what came
of it: it is looked for, or asked under the same key, or a person is called, as for every lost answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import or_, update
from sqlmodel import col, select

from hub.database import transaction
from hub.intending import intend
from hub.kinds import KINDS
from hub.lost_answers import WhenLost, when_lost
from hub.subject_rows import database_now, hub_identity
from hub.tables import AttemptRow, EffectRow, FactRow, HubIdentity, SubjectColumns

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.effects import Effect, Terms

IN_BETWEEN = "between back-up and restore"
"""In the place of a run's id: who may have made a call of which the restored rows know nothing."""
GENERATIONS = 10_000
"""So much higher are epochs and fences after a restore: whatever Prefect and runs remember of the time in between is stale."""


class WrongMoment(Exception):
    """Recovery cannot begin, or end, now; ``why`` says so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)

    def __str__(self) -> str:
        return str(self.args[0])


async def begin_recovery(restored_from: datetime) -> None:
    """
    Ask no provider anything from now on. ``restored_from``: when the back-up was begun that the rows come from; rather too early.

    Raises:
        WrongMoment: That is in the future.
    """
    async with transaction() as session:
        hub, now = await hub_identity(session), await database_now(session)
        if restored_from > now:
            raise WrongMoment(f"the back-up cannot be of {restored_from.astimezone(UTC):%Y-%m-%d %H:%M} UTC, which is still to come")
        hub.restored_from, hub.recovery_began_at, hub.recovery_ended_at = restored_from, now, None
        for kind in KINDS.values():
            row = kind.row
            later = {"epoch": col(row.epoch) + GENERATIONS, "fence": col(row.fence) + GENERATIONS}
            await session.exec(update(row).values(**later, lease_owner=None, lease_until=None))


async def end_recovery() -> None:
    """
    Let processes go on; what is due is started by the next sweep.

    Raises:
        WrongMoment: The hub is not in recovery.
    """
    async with transaction() as session:
        hub = await hub_identity(session)
        if not hub.recovering:
            raise WrongMoment("the hub is not in recovery")
        hub.recovery_ended_at = await database_now(session)


async def in_recovery_since() -> datetime | None:
    """Return since when no provider is asked anything; None when the hub is not in recovery."""
    async with transaction() as session:
        hub = await hub_identity(session)
    return hub.recovery_began_at if hub.recovering else None


async def may_have_been_asked(
    session: AsyncSession, hub: HubIdentity, subject: SubjectColumns, effect: Effect, row: EffectRow | None, terms: Terms
) -> bool:
    """
    Tell whether the effect may have been asked for after the back-up, so that the restored rows know nothing of it.

    What cannot be looked for would be for a person; so it counts as new when something has made it necessary since the recovery ended.
    """
    if hub.recovery_ended_at is None or subject.created_at >= hub.recovery_ended_at:
        return False
    way = when_lost(effect.what, terms)
    if way is WhenLost.REPEATED or (row is not None and await _asked_since(session, hub, row)):
        return False
    return way is not WhenLost.LEFT_ALONE or not await _is_new(session, hub.recovery_ended_at, effect, row)


async def _asked_since(session: AsyncSession, hub: HubIdentity, row: EffectRow) -> bool:
    since = or_(col(AttemptRow.started_at) >= hub.recovery_began_at, col(AttemptRow.run_id) == IN_BETWEEN)
    asked = select(AttemptRow.id).where(col(AttemptRow.effect_key) == row.key, col(AttemptRow.kind) == "call", since)
    return (await session.exec(asked.limit(1))).first() is not None


async def _is_new(session: AsyncSession, ended_at: datetime, effect: Effect, row: EffectRow | None) -> bool:
    """Tell whether the effect was intended, or a provider has told anything of its subject, only after the recovery had ended."""
    if row is not None and row.created_at > ended_at:
        return True
    mine = (col(FactRow.subject_kind) == effect.subject_kind, col(FactRow.subject_id) == effect.subject_id)
    news = select(FactRow.id).where(*mine, col(FactRow.source) == "webhook", col(FactRow.at) > ended_at)
    return (await session.exec(news.limit(1))).first() is not None


async def count_as_asked(session: AsyncSession, hub: HubIdentity, effect: Effect, row: EffectRow | None, now: datetime) -> EffectRow:
    """Note a call of which nobody knows what came, some time after the back-up, and return the effect's row."""
    row, then = row or await intend(session, effect, now), hub.restored_from or now
    session.add(
        AttemptRow(
            effect_key=row.key,
            kind="call",
            run_id=IN_BETWEEN,
            fence=0,
            started_at=then,
            send_by=then,
            settles_at=then,
            ended_at=then,
            outcome="unknown",
        )
    )
    await session.flush()
    return row


async def can_be_looked_for(session: AsyncSession, hub: HubIdentity, effect: Effect) -> bool:
    """Tell whether a look finds what was asked in between: not when it goes by the answer to a step that was made anew since."""
    if effect.what.looked_for_by is None:
        return True
    mine = (col(EffectRow.subject_kind) == effect.subject_kind, col(EffectRow.subject_id) == effect.subject_id)
    made = select(col(EffectRow.created_at)).where(*mine, col(EffectRow.step) == effect.what.looked_for_by)
    latest = (await session.exec(made.order_by(col(EffectRow.created_at).desc()).limit(1))).first()
    return latest is not None and hub.recovery_began_at is not None and latest < hub.recovery_began_at
