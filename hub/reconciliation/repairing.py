"""Takes in what is certain, as an answer or a webhook would have brought it, and calls a person where money or a parcel is at stake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.applying import Contradiction, apply
from hub.database import transaction
from hub.facets import HoldFacet
from hub.facts import AttentionNeeded, Fact, LabelVoided
from hub.readings.news import Address
from hub.reconciliation.comparing import Difference, Known, What, fact_in
from hub.reconciliation.matching import in_flight
from hub.settling import done_twice, found_there
from hub.steps import EffectState
from hub.subject_rows import locked, record, take_up_again
from hub.tables import EffectRow, OrderRow

if TYPE_CHECKING:
    from hub.reconciliation.seen import Seen

SOURCE = "reconciliation"


async def repaired(difference: Difference, seen: Seen, known: Known) -> Difference:
    """Take in what is certain about what was seen; return the difference, which is over then."""
    if not difference.certain:
        return difference
    if difference.what is What.UNKNOWN_HERE:
        done = await _settle(seen, known)
    else:
        done = await _apply(_facts(difference, seen, known), known)
    return difference.model_copy(update={"repaired": True, "drift": {}}) if done else difference


async def call_for(difference: Difference) -> None:
    """Make a person look where money or a parcel is at stake, unless one has to look at the subject already."""
    if difference.subject is None or not _matters(difference):
        return
    kind, subject_id = difference.subject
    async with transaction() as session:
        subject, now = await locked(session, subject_id, kind)
        if subject.attention is not None or (_is_about_a_label(difference) and _needs_no_label(subject)):
            return
        effect = await session.get(EffectRow, difference.key or "")
        if difference.what is What.TWICE and effect is not None:
            await done_twice(session, subject, effect, difference.reference, source=SOURCE)
        else:
            name, ways = difference.key or difference.reference, f"{difference.ledger} here, {difference.there} there"
            reason = f"{difference.provider} and the ledger differ about {name} ({difference.what}): {ways}"
            await record(session, subject, AttentionNeeded(epoch=subject.epoch, reason=reason), source=SOURCE)
        subject.resume_at = now  # the next run tells the team, and nothing else


def _matters(difference: Difference) -> bool:
    return bool(difference.drift) or (_is_about_a_label(difference) and difference.what is not What.UNKNOWN_HERE)


def _is_about_a_label(difference: Difference) -> bool:
    return difference.provider == "shippo"


def _needs_no_label(subject: object) -> bool:
    """Tell whether the order is being undone, or is: nobody misses its label then."""
    return isinstance(subject, OrderRow) and subject.hold != HoldFacet.NONE


def _facts(difference: Difference, seen: Seen, known: Known) -> tuple[Fact, ...]:
    if difference.what is What.MISSED:
        return seen.news
    if seen.voided is not None:
        return (LabelVoided(label_id=seen.reference),)
    fact = fact_in(seen, known)
    return () if fact is None else (fact,)


async def _apply(facts: tuple[Fact, ...], known: Known) -> bool:
    """Apply the facts as their webhook would have; False when they contradict the ledger, and a person has to look."""
    about = Address(hub_id=None, subject_kind=known.subject_kind, subject_id=known.subject_id, step=known.step, attempt=known.attempt)
    async with transaction() as session:
        subject, _ = await locked(session, known.subject_id, known.subject_kind)
        try:
            await apply(session, subject, await session.get(EffectRow, known.key), about, facts, source=SOURCE)
        except Contradiction:
            return False
    return bool(facts)


async def _settle(seen: Seen, known: Known) -> bool:
    """Settle the effect as found, unless somebody has been quicker, or is at work on it."""
    outcome = known.what.means(known.attempt, seen.result)
    async with transaction() as session:
        subject, now = await locked(session, known.subject_id, known.subject_kind)
        row = await session.get_one(EffectRow, known.key)
        if row.state not in (EffectState.INTENDED, EffectState.UNKNOWN) or await in_flight(session, [row]):
            return False
        await found_there(session, subject, row, outcome, seen.result, now=now)
        take_up_again(subject, now)
    return True
