"""A person tells the ledger what came of an effect: nobody else knows, or the provider said no and they have seen to it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select as select_columns
from sqlalchemy import tuple_
from sqlmodel import col, select

from hub.database import transaction
from hub.effects import step_of
from hub.facts import ToldByHand
from hub.kinds import kind_of
from hub.settling import end_calls
from hub.steps import EffectState
from hub.subject_rows import locked, record, take_up_again
from hub.tables import EffectRow, SubjectColumns
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


class NothingToResolve(Exception):
    """There is no such effect of the subject of which a person could tell anything; ``why`` says so."""

    def __init__(self, subject: str, step: str, why: str) -> None:
        super().__init__(subject, step, why)
        self.subject, self.step, self.why = subject, step, why

    def __str__(self) -> str:
        return f"{self.subject}, {self.step}: {self.why}"


class Untold(Frozen):
    """The latest effect of a step, of which a person may tell that it happened (``yes``), that it did not (``no``), or either."""

    step: str
    provider: str
    action: str
    state: EffectState
    yes: bool
    no: bool


async def untold(subjects: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Untold]]:
    """Return by kind and id what a person could tell: of which nobody knows, or what was refused and may have been done otherwise."""
    columns = (EffectRow.subject_kind, EffectRow.subject_id, EffectRow.step, EffectRow.provider, EffectRow.action, EffectRow.state)
    mine = tuple_(col(EffectRow.subject_kind), col(EffectRow.subject_id)).in_(subjects)
    wanted = select_columns(*map(col, columns)).where(mine).order_by(col(EffectRow.attempt))
    async with transaction() as session:
        latest = {tuple(row[:3]): row[3:] for row in await (await session.connection()).execute(wanted)}
    found: dict[tuple[str, str], list[Untold]] = {}
    for (kind, subject_id, step), (provider, action, state) in latest.items():
        if state in (EffectState.UNKNOWN, EffectState.REFUSED):
            what, unknown = step_of(kind, step), state == EffectState.UNKNOWN
            yes = what.by_hand is not None and (unknown or what.useful_seconds is None)  # what came too late to be of use is over
            if yes or unknown:
                one = Untold(step=step, provider=provider, action=action, state=state, yes=yes, no=unknown)
                found.setdefault((kind, subject_id), []).append(one)
    return found


async def resolve(kind: str, subject_id: str, step: str, *, happened: bool, reference: str | None, by: str) -> None:
    """
    Take a person's word for what came of the latest effect of ``step``, and note who gave it; the subject is due at once.

    ``happened``: as if the provider had answered with ``reference``. Otherwise it is asked again by the next run, if that is still right.

    Raises:
        NoSuchOrder: It does not exist; each kind has its own error.
        NothingToResolve: The step has no effect that is open, a run is at work on it, or a look at the provider finds it by itself.
    """
    async with transaction() as session:
        row, now = await locked(session, subject_id, kind)
        if row.lease_until is not None and row.lease_until > now:
            raise NothingToResolve(f"{kind} {subject_id}", step, "a run is at work on it; try again in a moment")
        effect = await _effect(session, row, step)
        if happened:
            await _it_happened(session, row, effect, reference or f"told by {by}", now)
        else:
            await _it_did_not(session, row, effect, now)
        said = ToldByHand(step=effect.step, attempt=effect.attempt, happened=happened, by=by, epoch=row.epoch)
        row.attention, row.message = None, "taken up again"
        await record(session, row, said, source="person")
        take_up_again(row, now)


async def _effect(session: AsyncSession, row: SubjectColumns, step: str) -> EffectRow:
    """Return the latest effect of the step of which somebody may still tell something."""
    kind = kind_of(row).name
    mine = select(EffectRow).where(col(EffectRow.subject_kind) == kind, col(EffectRow.subject_id) == row.id)
    effects = {effect.step: effect for effect in await session.exec(mine.order_by(col(EffectRow.attempt)))}
    if (effect := effects.get(step)) is None:
        raise NothingToResolve(f"{kind} {row.id}", step, f"there is no such step; there are {', '.join(sorted(effects)) or 'none'}")
    if effect.state in (EffectState.DONE, EffectState.UNDONE):
        raise NothingToResolve(f"{kind} {row.id}", step, f"it is {effect.state} already ({effect.reference})")
    return effect


async def _it_happened(session: AsyncSession, row: SubjectColumns, effect: EffectRow, reference: str, now: datetime) -> None:
    what = step_of(effect.subject_kind, effect.step)
    if what.by_hand is None:
        why = f"{effect.provider} can be asked: `hub {effect.subject_kind} retry {row.id}` looks there and finds it"
        raise NothingToResolve(f"{effect.subject_kind} {row.id}", effect.step, why)
    result = what.by_hand(effect.request, reference)
    outcome = what.means(effect.attempt, result)
    effect.state, effect.reference, effect.code, effect.resume_at = outcome.state, outcome.reference, outcome.code, None
    effect.result, effect.settled_at = result.model_dump(mode="json"), now
    await end_calls(session, effect, "found", now)
    if outcome.fact is not None:
        await record(session, row, outcome.fact, source="person")


async def _it_did_not(session: AsyncSession, row: SubjectColumns, effect: EffectRow, now: datetime) -> None:
    if effect.state == EffectState.REFUSED:
        why = f"{effect.provider} said no ({effect.code}), so it is known that it did not happen"
        raise NothingToResolve(f"{effect.subject_kind} {row.id}", effect.step, why)
    effect.state, effect.resume_at = EffectState.INTENDED, None
    await end_calls(session, effect, "absent", now)
