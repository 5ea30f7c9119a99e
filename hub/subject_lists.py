"""Subjects of any kind as lists for people, and the one that somebody looks for by an id of ours or of a provider. No personal data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, literal, null, select, tuple_, union_all
from sqlmodel import col

from hub.database import transaction
from hub.gate_views import PROVIDERS
from hub.kinds import KINDS
from hub.money import Money
from hub.signup_tables import SignupRow
from hub.tables import EffectRow, OrderRow
from hub.values import Frozen
from hub.views import PAGE, cursor_after, place_of


class Line(Frozen):
    """One subject in a list; ``resume_at``: when it goes on by itself. ``amount`` in minor units, where it is about money."""

    id: str
    status: str
    message: str
    created_at: datetime
    resume_at: datetime | None
    amount: int | None
    currency: str | None

    @property
    def money(self) -> Money | None:
        """What it is about, if that is money."""
        return None if self.amount is None or self.currency is None else Money(amount=self.amount, currency=self.currency)


async def list_subjects(kind: str, status: str | None = None, cursor: str | None = None) -> tuple[list[Line], str | None]:
    """
    Return a page of subjects, newest first, and the cursor of the next page.

    Raises:
        BadCursor: ``cursor`` is none of ours.
    """
    row = KINDS[kind].row
    place = (col(row.created_at), col(row.id))
    money = [col(row.amount), col(row.currency)] if row in (OrderRow, SignupRow) else [null(), null()]
    wanted = select(col(row.id), col(row.status), col(row.message), col(row.created_at), col(row.resume_at), *money)
    wanted = wanted.order_by(place[0].desc(), place[1].desc()).limit(PAGE + 1)
    if status is not None:
        wanted = wanted.where(col(row.status) == status)
    if cursor is not None:
        wanted = wanted.where(tuple_(*place) < place_of(cursor))
    async with transaction() as session:
        found = [Line(**dict(zip(Line.model_fields, one, strict=True))) for one in await (await session.connection()).execute(wanted)]
    more = len(found) > PAGE
    return found[:PAGE], cursor_after(found[PAGE - 1].created_at, found[PAGE - 1].id) if more else None


async def find_subjects(wanted: str, *, by_person: bool) -> list[tuple[str, str]]:
    """
    Return kind and id of what is called so, at our place or a provider's: an id, a tracking number, a payment, a label, a message.

    ``by_person``: also the sign-up and the orders with this mail address. No index has the orders' addresses: all of them are read.
    """
    parts: list[Select[tuple[str, str]]] = [
        select(literal(kind.name), col(kind.row.id)).where(col(kind.row.id) == wanted) for kind in KINDS.values()
    ]
    parts.append(select(literal("order"), col(OrderRow.id)).where(col(OrderRow.tracking_number) == wanted))
    known_there = (col(EffectRow.provider).in_(PROVIDERS), col(EffectRow.reference) == wanted)
    parts.append(select(col(EffectRow.subject_kind), col(EffectRow.subject_id)).where(*known_there))
    if by_person and "@" in wanted:
        parts.append(select(literal("signup"), col(SignupRow.id)).where(col(SignupRow.email) == wanted.lower()))
        email = func.lower(col(OrderRow.request)["customer"]["email"].as_string())
        parts.append(select(literal("order"), col(OrderRow.id)).where(email == wanted.lower()).limit(PAGE))
    async with transaction() as session:
        found = await (await session.connection()).execute(union_all(*parts))
        return sorted({(kind, subject_id) for kind, subject_id in found})
