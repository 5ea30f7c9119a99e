"""Finds what the ledger says about the objects that a provider shows: by our key, by the provider's id, or by what else they carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import col, or_, select

from hub.database import transaction
from hub.facts import Fact, LabelVoided, identity_of
from hub.kinds import KINDS
from hub.messages import LONGEST_NAME, text_reference
from hub.payments import Payment, Refund
from hub.readings.news import effect_in
from hub.reconciliation.comparing import Known, fact_in
from hub.steps import EffectState
from hub.subject_rows import database_now, hub_identity
from hub.tables import AttemptRow, EffectRow, FactRow
from hub.voiding import void_of

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.reconciliation.seen import Seen

_ENDING = re.compile(r"Ref (?P<name>\S+)\.[0-9a-z]{6}")
_STILL_TO_COME = (EffectState.INTENDED, EffectState.UNKNOWN)


class Match(NamedTuple):
    """An object of ours, what the ledger says of it, and, where that is nothing, whom its reference names, if there is such."""

    seen: Seen
    known: Known | None
    subject: tuple[str, str] | None = None


async def matched(page: Sequence[Seen]) -> list[Match]:
    """Return what the ledger says about the objects on the page that are ours; those of other systems and other hubs are left out."""
    async with transaction() as session:
        hub_id = (await hub_identity(session)).hub_id
        keys = {one.reference: key for one in page if (key := _our_key(one, hub_id)) is not None}
        by_key = {row.key: row for row in await session.exec(select(EffectRow).where(col(EffectRow.key).in_(keys.values())))}
        by_reference = await _by_reference(session, page)
        found: list[tuple[Seen, EffectRow]] = []
        strangers: list[Match] = []
        for seen in page:
            key = keys.get(seen.reference)
            row = by_key.get(key or "") or _making(seen, by_reference) or await _by_ending(session, seen, hub_id)
            if row is not None:
                found.append((seen, row))
            elif key is not None:
                strangers.append(Match(seen, None, await _subject_named(session, key)))
        return [*await _known(session, found), *strangers]


def _our_key(seen: Seen, hub_id: UUID) -> str | None:
    """Return the key of the effect that the object names, if it is one of this hub's."""
    ours = effect_in(seen.key)
    return ours.about.effect_key if ours is not None and ours.about.belongs_to(hub_id) and ours.about.subject_kind in KINDS else None


async def _by_reference(session: AsyncSession, page: Sequence[Seen]) -> dict[tuple[str, str], list[EffectRow]]:
    wanted = {(one.provider, one.reference) for one in page}
    wanted |= {(one.provider, one.result.payment_id) for one in page if isinstance(one.result, Refund)}
    found: dict[tuple[str, str], list[EffectRow]] = {}
    rows = select(EffectRow).where(tuple_(col(EffectRow.provider), col(EffectRow.reference)).in_(list(wanted)))
    for row in await session.exec(rows.order_by(col(EffectRow.created_at))):
        found.setdefault((row.provider, row.reference or ""), []).append(row)
    return found


def _making(seen: Seen, rows: dict[tuple[str, str], list[EffectRow]]) -> EffectRow | None:
    """Return the effect that has made the object; of a refund by hand that of the payment which it gives back."""
    made = (row for row in rows.get((seen.provider, seen.reference), ()) if seen.asked.keys() <= row.request.keys())
    if (row := next(made, None)) is not None or not isinstance(seen.result, Refund):
        return row
    paid = rows.get((seen.provider, seen.result.payment_id), ())
    return next((one for one in paid if known_from(one).what.result is Payment and "amount" in one.request), None)


async def _by_ending(session: AsyncSession, seen: Seen, hub_id: UUID) -> EffectRow | None:
    """Return the effect whose reference a text ends with: the reference names the subject, and was made from the whole key."""
    if seen.ending is None or (said := _ENDING.fullmatch(seen.ending)) is None:
        return None
    subject_id, name = col(EffectRow.subject_id), said["name"]
    named = subject_id.startswith(name, autoescape=True) if len(name) == LONGEST_NAME else subject_id == name
    mine = (col(EffectRow.subject_kind).in_(KINDS), named, col(EffectRow.provider) == seen.provider)
    rows = await session.exec(select(EffectRow).where(*mine))
    return next((row for row in rows if text_reference(f"{hub_id}:{row.key}") == seen.ending), None)


async def _subject_named(session: AsyncSession, key: str) -> tuple[str, str] | None:
    kind, subject_id, *_ = key.split(":")
    found = await session.exec(select(col(KINDS[kind].row.id)).where(col(KINDS[kind].row.id) == subject_id))
    return (kind, subject_id) if found.first() is not None else None


async def _known(session: AsyncSession, found: Sequence[tuple[Seen, EffectRow]]) -> list[Match]:
    """Return the rows as comparing needs them, with what is known beside them."""
    heard = await _heard(session, [(row, fact) for seen, row in found for fact in (*_meaning(seen, row), *seen.news, *_voids(seen))])
    under_way = await in_flight(session, [row for _, row in found if row.state in _STILL_TO_COME])
    return [
        Match(
            seen,
            known_from(
                row,
                in_flight=row.key in under_way,
                heard=all(_name(row, fact) in heard for fact in _meaning(seen, row)),
                news_heard=all(_name(row, fact) in heard for fact in seen.news),
                void_known=await _void_is_known(session, seen, row, heard),
            ),
        )
        for seen, row in found
    ]


def known_from(row: EffectRow, **more: bool) -> Known:
    """Return what the row says; ``more`` is what other rows say about it."""
    said = row.model_dump(include={"key", "subject_kind", "subject_id", "step", "attempt", "provider", "state", "reference", "request"})
    return Known(**said, **more)


def _meaning(seen: Seen, row: EffectRow) -> tuple[Fact, ...]:
    fact = fact_in(seen, known_from(row))
    return () if fact is None else (fact,)


def _voids(seen: Seen) -> tuple[Fact, ...]:
    return () if seen.voided is None else (LabelVoided(label_id=seen.reference),)


def _name(row: EffectRow, fact: Fact) -> tuple[str, str, str, str]:
    return row.subject_kind, row.subject_id, fact.kind, identity_of(fact)


async def _heard(session: AsyncSession, wanted: Iterable[tuple[EffectRow, Fact]]) -> set[tuple[str, str, str, str]]:
    """Return which of these facts are recorded."""
    names = {_name(row, fact) for row, fact in wanted}
    place = (col(FactRow.subject_kind), col(FactRow.subject_id), col(FactRow.kind), col(FactRow.identity))
    found = await session.exec(select(*place).where(tuple_(*place).in_(list(names))))
    return {(kind, subject_id, fact, identity) for kind, subject_id, fact, identity in found}


async def _void_is_known(session: AsyncSession, seen: Seen, row: EffectRow, heard: set[tuple[str, str, str, str]]) -> bool:
    if seen.voided is None:
        return True
    return _name(row, *_voids(seen)) in heard or await void_of(session, row) is not None


async def in_flight(session: AsyncSession, rows: Sequence[EffectRow]) -> set[str]:
    """Return the keys of those whose call may still be under way, or which a run is at work on."""
    if not rows:
        return set()
    now = await database_now(session)
    open_calls = (col(AttemptRow.kind) == "call", or_(col(AttemptRow.outcome).is_(None), col(AttemptRow.outcome) == "unknown"))
    calls = select(col(AttemptRow.effect_key)).where(
        col(AttemptRow.effect_key).in_([row.key for row in rows]), *open_calls, col(AttemptRow.settles_at) > now
    )
    keys = set(await session.exec(calls))
    for row in rows:
        subject = await session.get_one(KINDS[row.subject_kind].row, row.subject_id)
        if subject.lease_until is not None and subject.lease_until > now:
            keys.add(row.key)
    return keys
