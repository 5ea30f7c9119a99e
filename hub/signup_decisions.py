"""What a run decides about its sign-up, each decision one commit under the run's claim."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.claims import hold
from hub.database import transaction
from hub.effects import Effect, LeaseLost
from hub.facets import HoldFacet, forward
from hub.facts import Recorded, StepMissed, UndoBegun, UndoFinished
from hub.intending import intend
from hub.notification_types import GREETINGS
from hub.profiles import ProfileRemoval
from hub.signup_facets import SignupFacets, StepName, StepOutcome, report
from hub.signup_rows import critical_of, facets_of
from hub.signup_tables import ActivityRow, RegistrationRow, SignupRow
from hub.signups import Signup
from hub.steps import EffectState
from hub.subject_rows import database_now, record
from hub.tables import AttemptRow, EffectRow

EFFECTS: dict[StepName, str] = {
    "profile": "profile",
    "payment": "payment",
    **{greeting: what.step for greeting, what in GREETINGS.items()},
}
"""The ledger's step of each step that somebody else does."""
_BEGUN = (EffectState.INTENDED, EffectState.UNKNOWN)
_SILENT = (StepOutcome.OPEN, StepOutcome.NOT_ASKED)


class Conclusion(NamedTuple):
    """How a run leaves its sign-up: whether it could be recorded, whether something is still unknown, and how often that was so."""

    recorded: bool
    unknown: bool
    runs_without_progress: int


async def outcome_of(signup: Signup, step: StepName) -> StepOutcome:
    """Return what has come of ``step`` by now."""
    async with transaction() as session:
        return facets_of(await hold(session, signup)).of(step)


async def miss(signup: Signup, step: StepName) -> StepOutcome:
    """Commit that this run's patience with ``step`` has ended, and whether it may have happened all the same; return what is known now."""
    async with transaction() as session:
        row: SignupRow = await hold(session, signup)
        effect = await session.get(EffectRow, signup.effect_key(EFFECTS[step]))
        if effect is None or effect.state in _BEGUN:
            calls = [] if effect is None else await _calls(session, effect.key)
            unknown = any(call.outcome in (None, "unknown") for call in calls)
            status = calls[-1].http_status if calls else None
            missed = StepMissed(step=step, outcome="unknown" if unknown else "unavailable", http_status=status, epoch=row.epoch)
            await record(session, row, missed, source="run")
        return facets_of(row).of(step)


async def note_not_made(signup: Signup) -> None:
    """Commit that the payment of which nobody knew was surely not made; it is not made later either."""
    async with transaction() as session:
        row = await hold(session, signup)
        await record(session, row, StepMissed(step="payment", outcome="not_made", epoch=row.epoch), source="resolver")


async def begin_removal(signup: Signup, because: str) -> Effect:
    """
    Commit that the sign-up is being undone, and the removal of the profile that this takes. A second time changes nothing.

    Raises:
        LeaseLost: Meanwhile it was told that the payment was made after all; the next run goes on with that.
    """
    async with transaction() as session:
        row: SignupRow = await hold(session, signup)
        removal = signup.effect("remove-profile", ProfileRemoval(profile_id=row.user_id or ""))
        if row.hold == HoldFacet.NONE:
            if row.payment == StepOutcome.OK:
                raise LeaseLost(f"the payment of {signup.title} was made after all")
            await record(session, row, UndoBegun(because=because), source="undo")
            await intend(session, removal, await database_now(session))
        return removal


async def finish_removal(signup: Signup) -> None:
    """Commit that everything is undone."""
    async with transaction() as session:
        await record(session, await hold(session, signup), UndoFinished(), source="run")


async def conclude(signup: Signup) -> Conclusion:
    """
    Commit the registration, the log of the operations and the final status, all or nothing.

    When the database takes the sign-up but not its records, that is what the report says, and another run tries again.
    """
    try:
        async with transaction() as session:
            row: SignupRow = await hold(session, signup)
            await _write_records(session, signup, row)
            return _conclusion(row, recorded=True)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    async with transaction() as session:
        row = await hold(session, signup)
        await record(session, row, StepMissed(step="records", outcome="unavailable", epoch=row.epoch), source="run")
        return _conclusion(row, recorded=False)


def _conclusion(row: SignupRow, *, recorded: bool) -> Conclusion:
    unknown = StepOutcome.UNKNOWN in (row.profile, row.payment)
    return Conclusion(recorded=recorded, unknown=unknown, runs_without_progress=row.runs_without_progress)


async def _write_records(session: AsyncSession, signup: Signup, row: SignupRow) -> None:
    facets = facets_of(row)
    recorded = facets.model_copy(update={"records": forward(facets.records, StepOutcome.OK)})
    said = report(recorded, critical_of(row))
    values = {
        "user_id": row.user_id if said.profile_created else None,
        "status": said.status,
        "profile_created": said.profile_created,
        "payment_processed": said.payment_processed,
        "amount": row.amount,
        "currency": row.currency,
        "errors": list(said.errors),
        "correlation_id": row.correlation_id,
    }
    registration = insert(RegistrationRow).values(signup_id=row.id, **values)
    await session.exec(registration.on_conflict_do_update(index_elements=["signup_id"], set_=values))
    for activity in await _activities(session, signup, facets):
        await session.exec(insert(ActivityRow).values(signup_id=row.id, **activity).on_conflict_do_nothing())
    await record(session, row, Recorded(status=said.status, epoch=row.epoch), source="run")


async def _activities(session: AsyncSession, signup: Signup, facets: SignupFacets) -> list[dict[str, Any]]:
    """Return an entry for each operation that was tried: what came of it, by whom, and the ids under which it can be found there."""
    mine = (col(EffectRow.subject_kind) == signup.kind, col(EffectRow.subject_id) == signup.id)
    effects = {row.step: row for row in await session.exec(select(EffectRow).where(*mine))}
    entries = []
    for step, effect_step in EFFECTS.items():
        if (outcome := facets.of(step)) not in _SILENT:
            details = _details(effects.pop(effect_step, None)) | ({"code": facets.codes[step]} if step in facets.codes else {})
            entries.append({"operation": effect_step, "outcome": outcome, "details": {**details, "correlation_id": signup.correlation_id}})
    entries.extend(
        {"operation": step, "outcome": effect.state, "details": {**_details(effect), "correlation_id": signup.correlation_id}}
        for step, effect in effects.items()
    )
    return entries


def _details(effect: EffectRow | None) -> dict[str, Any]:
    if effect is None:
        return {}
    settled = effect.settled_at and effect.settled_at.isoformat()
    found = {"effect": effect.key, "provider": effect.provider, "reference": effect.reference, "settled_at": settled}
    return {name: value for name, value in found.items() if value is not None}


async def _calls(session: AsyncSession, key: str) -> list[AttemptRow]:
    calls = select(AttemptRow).where(col(AttemptRow.effect_key) == key, col(AttemptRow.kind) == "call")
    return list(await session.exec(calls.order_by(col(AttemptRow.id))))
