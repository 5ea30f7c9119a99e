"""The ledger's side of a reconciliation: which places to look at, and what was done of which a provider's lists show nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.effects import STEPS
from hub.reconciliation.comparing import Known
from hub.reconciliation.matching import known_from
from hub.reconciliation.seen import Period, Seen, Shelf
from hub.reconciliation_tables import SightingRow
from hub.settings import settings
from hub.steps import EffectState
from hub.tables import EffectRow

AT_ONCE = 200
HEARD_WITHIN_SECONDS = 3600.0
"""A mail that was accepted is heard of again within so long, as a rule within seconds; scaled."""
_SAYS_MORE = ("cancel-payment", "stop-payment", "expire-payment")
"""Steps that make nothing at a provider: what they answer is the payment that is there."""


async def places(provider: str, name: str, period: Period) -> list[str]:
    """Return where the ledger has done something at the provider in the period, by this field of its requests, e.g. in which channels."""
    place = col(EffectRow.request)[name].as_string()
    async with transaction() as session:
        found = await session.exec(select(place).where(*_of(provider, period), place.is_not(None)).distinct())
        return sorted(found)


async def sight(reconciliation_id: str, page: Sequence[Seen]) -> None:
    """Note that these were seen at their provider; twice is once."""
    seen = [{"reconciliation_id": reconciliation_id, "provider": one.provider, "reference": one.reference} for one in page]
    if seen:
        async with transaction() as session:
            await session.exec(insert(SightingRow).values(seen).on_conflict_do_nothing())


async def unseen(reconciliation_id: str, shelf: Shelf, period: Period, after: str = "") -> list[Known]:
    """Return what was done in the period and belongs on the shelf, where it was not seen; by key, ``AT_ONCE`` after that one at most."""
    steps = {step.name for kind in STEPS.values() for step in kind.values() if step.result is shelf.makes and not step.harmless}
    was_seen = exists().where(
        col(SightingRow.reconciliation_id) == reconciliation_id,
        col(SightingRow.provider) == col(EffectRow.provider),
        col(SightingRow.reference) == col(EffectRow.reference),
    )
    wanted = (
        *_of(shelf.provider, period),
        func.split_part(col(EffectRow.step), ".", 1).in_(steps.difference(_SAYS_MORE)),
        col(EffectRow.request).contains(shelf.of),
        col(EffectRow.state) == EffectState.DONE,
        col(EffectRow.reference).is_not(None),
        col(EffectRow.key) > after,
        ~was_seen,
    )
    async with transaction() as session:
        rows = await session.exec(select(EffectRow).where(*wanted).order_by(col(EffectRow.key)).limit(AT_ONCE))
        return [known_from(row) for row in rows]


async def unheard_mails(period: Period, after: str = "") -> list[Known]:
    """Return the mails of the period that were accepted more than an hour before its end, and of which no event has told anything since."""
    latest = period.until - timedelta(seconds=HEARD_WITHIN_SECONDS * settings().time_scale)
    wanted = (
        *_of("sendgrid", period),
        col(EffectRow.state) == EffectState.DONE,
        col(EffectRow.delivery).is_(None),
        col(EffectRow.settled_at) <= latest,
        col(EffectRow.key) > after,
    )
    async with transaction() as session:
        rows = await session.exec(select(EffectRow).where(*wanted).order_by(col(EffectRow.key)).limit(AT_ONCE))
        return [known_from(row) for row in rows]


async def mails_accepted(period: Period) -> int:
    """Return how many mails the provider has accepted in the period."""
    wanted = (*_of("sendgrid", period), col(EffectRow.state) == EffectState.DONE)
    async with transaction() as session:
        return (await session.exec(select(func.count()).select_from(EffectRow).where(*wanted))).one()


def _of(provider: str, period: Period) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(EffectRow.provider) == provider, col(EffectRow.created_at).between(period.since, period.until)
