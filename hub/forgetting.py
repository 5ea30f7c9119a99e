"""
Forgetting a person: what is about them goes, what the accounts need stays.

Amounts, currencies, ids, states, stock and the payment audit log stay as they are, and so does the story, which says that the person was
forgotten. Nothing of theirs may be under way: what still has to be shipped, told or given back needs them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, EmailStr, Field, TypeAdapter, ValidationError
from sqlalchemy import ARRAY, Text, bindparam, func, text, update
from sqlmodel import col, select

from hub.approvals import ApprovalRow, ApprovalState
from hub.database import transaction
from hub.erasing import erased, fact_without, without, words_in
from hub.facets import DisputeFacet, Status
from hub.facts import Forgotten
from hub.inbox_tables import NoticeRow
from hub.kinds import KINDS, kind_of
from hub.signup_facets import SignupStatus, StepOutcome
from hub.signup_tables import SignupRow
from hub.steps import EffectState
from hub.subject_rows import database_now, locked, record
from hub.tables import AttemptRow, EffectRow, FactRow, OrderRow, SubjectColumns
from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

SILENCE_DAYS = 90
"""A confirmed order of which nothing has been heard for so long is not waited for: some carriers never say that they have delivered."""
_OVER = (Status.DELIVERED, Status.RETURNED, Status.CANCELLED, Status.REFUNDED)
_SHIPPING = (Status.CONFIRMED, Status.PACKED, Status.IN_TRANSIT)
_TO_TRY_AGAIN = (Status.PAYMENT_FAILED, Status.OUT_OF_STOCK)
_EMAIL: TypeAdapter[str] = TypeAdapter(Annotated[EmailStr, AfterValidator(str.lower)])
_STRAY_NOTICES = text(
    """
    UPDATE notices SET content = NULL WHERE content IS NOT NULL AND EXISTS (
        SELECT FROM unnest(:words) AS word WHERE position(lower(word) IN lower(encode(content, 'escape'))) > 0
    )
    """
).bindparams(bindparam("words", type_=ARRAY(Text)))


class NoAddress(Exception):
    """What was given is no mail address."""

    def __str__(self) -> str:
        return "this is no mail address; give the one that the person's orders and sign-ups have"


class NotYet(Exception):
    """The person cannot be forgotten yet; nothing was changed. ``under_way``: what of theirs is not over, and what ends it."""

    def __init__(self, under_way: tuple[str, ...]) -> None:
        super().__init__(under_way)
        self.under_way = under_way

    def __str__(self) -> str:
        return f"not yet, and nothing was changed: {'; '.join(self.under_way)}"


class Person(Frozen):
    """Somebody by a mail address: what is theirs, as kinds and ids, and what they are known by."""

    email: str
    subjects: tuple[tuple[str, str], ...]
    words: frozenset[str]


class Erased(Frozen):
    """
    What was erased: orders and sign-ups by their ids, the rest as numbers of rows.

    ``elsewhere``: under which names providers have what we told them of the person, by provider; they keep it until somebody asks them.
    """

    orders: tuple[str, ...] = ()
    signups: tuple[str, ...] = ()
    effects: int = 0
    facts: int = 0
    notices: int = 0
    elsewhere: dict[str, tuple[str, ...]] = Field(default_factory=dict)


async def whoever_is(email: str) -> Person:
    """
    Return what is known of whoever has this mail address; no subjects when nobody does.

    Raises:
        NoAddress: It is none.
        NotYet: Something of theirs is under way.
    """
    try:
        address = _EMAIL.validate_python(email)
    except ValidationError:
        raise NoAddress from None
    async with transaction() as session:
        rows = [row for kind in ("order", "signup") for row in await session.exec(_theirs(kind, address))]
        await _must_be_over(session, rows)
    subjects = tuple((kind_of(row).name, row.id) for row in rows)
    return Person(email=address, subjects=subjects, words=frozenset({address}.union(*(words_in(row.request) for row in rows))))


async def forget_person(person: Person, *, by: str) -> Erased:
    """
    Erase the person, all in one commit; done again, there is nothing left to erase.

    Raises:
        NotYet: Something of theirs is under way; nothing was changed.
    """
    async with transaction() as session:
        rows = [(await locked(session, subject_id, kind))[0] for kind, subject_id in sorted(person.subjects)]
        await _must_be_over(session, rows)
        elsewhere: dict[str, set[str]] = {}
        effects = [await _erase_effects(session, row, elsewhere) for row in rows]
        facts = [await _erase_facts(session, row, person.words) for row in rows]
        notices = [await _clear_notices(session, row) for row in rows]
        for row in rows:
            await _erase_subject(session, row, person.words, by)
        reached_at = [word for word in person.words if "@" in word or word.startswith("+")]
        stray = await (await session.connection()).execute(_STRAY_NOTICES, {"words": reached_at})
    return Erased(
        orders=tuple(row.id for row in rows if isinstance(row, OrderRow)),
        signups=tuple(row.id for row in rows if isinstance(row, SignupRow)),
        effects=sum(effects),
        facts=sum(facts),
        notices=sum(notices) + stray.rowcount,
        elsewhere={provider: tuple(sorted(names)) for provider, names in sorted(elsewhere.items())},
    )


def _theirs(kind: str, address: str) -> Any:
    row = KINDS[kind].row
    request = col(row.request)
    email = request["customer"]["email"] if kind == "order" else request["email"]
    return select(row).where(func.lower(email.as_string()) == address).order_by(col(row.id))


async def _must_be_over(session: AsyncSession, rows: list[SubjectColumns]) -> None:
    now = await database_now(session)
    found = [f"{kind_of(row).name} {row.id} {why}" for row in rows if (why := await _under_way(session, row, now))]
    if found:
        raise NotYet(tuple(found))


async def _under_way(session: AsyncSession, row: SubjectColumns, now: datetime) -> str | None:
    """Return why the person is still needed for this, and what ends it; None for what is over."""
    kind, mine = kind_of(row).name, (col(EffectRow.subject_kind) == kind_of(row).name, col(EffectRow.subject_id) == row.id)
    if row.attention is not None:
        return f"needs a person first: `hub {kind} explain {row.id}`"
    if row.lease_until is not None and row.lease_until > now:
        return "is being worked on; ask again in a moment"
    if (waits := _of_order(row, now) if isinstance(row, OrderRow) else _of_signup(row)) is not None:
        return waits
    if row.resume_at is not None:
        return f"goes on by itself at {row.resume_at:%Y-%m-%d %H:%M} UTC; ask again after that"
    unsure = col(EffectRow.state).in_((EffectState.PENDING, EffectState.UNKNOWN))
    if (effect := (await session.exec(select(EffectRow).where(*mine, unsure).limit(1))).first()) is not None:
        return f"has a step that is {effect.state}: {effect.step} at {effect.provider}; once that is known, or `hub {kind} resolve` says so"
    asked = (col(ApprovalRow.subject_kind) == kind, col(ApprovalRow.subject_id) == row.id, col(ApprovalRow.state) == ApprovalState.OPEN)
    if (approval := (await session.exec(select(ApprovalRow).where(*asked).limit(1))).first()) is not None:
        return f"waits until somebody decides {approval.what} {approval.item}, or it expires on {approval.expires_at:%Y-%m-%d}"
    return None


def _of_order(row: OrderRow, now: datetime) -> str | None:
    """Return what a resting order waits for."""
    status, silent_at = Status(row.status), row.progressed_at + timedelta(days=SILENCE_DAYS)
    if status in _OVER or row.dispute == DisputeFacet.LOST or (status in _SHIPPING and silent_at <= now):
        return None
    if status in _TO_TRY_AGAIN:
        return f"is {status} and can be tried again; cancel it first: `hub order cancel {row.id}`"
    if status is Status.DISPUTED:
        return "is disputed; once the customer's bank has decided"
    at_latest = f", or on {silent_at:%Y-%m-%d} if nothing more is heard of it" if status in _SHIPPING else ""
    return f"is {status}; once it is delivered, returned, cancelled or refunded{at_latest}"


def _of_signup(row: SubjectColumns) -> str | None:
    if isinstance(row, SignupRow) and (row.status == SignupStatus.IN_PROGRESS or row.payment == StepOutcome.WAITS):
        return "is in progress; once there is a report and its payment is settled or called off"
    return None


async def _erase_effects(session: AsyncSession, row: SubjectColumns, elsewhere: dict[str, set[str]]) -> int:
    """Erase what was asked and answered; return how many effects had anything personal, and note under which names providers have it."""
    theirs = (col(EffectRow.subject_kind) == kind_of(row).name, col(EffectRow.subject_id) == row.id)
    changed = 0
    for effect in await session.exec(select(EffectRow).where(*theirs)):
        request, result = erased(effect.request), erased(effect.result)
        if (request, result) != (effect.request, effect.result):
            changed += 1
            if effect.reference is not None:
                elsewhere.setdefault(effect.provider, set()).add(effect.reference)
        effect.request, effect.result = request, result
    calls = select(col(EffectRow.key)).where(*theirs)
    await session.exec(update(AttemptRow).where(col(AttemptRow.effect_key).in_(calls)).values(provider_text=None))
    return changed


async def _erase_facts(session: AsyncSession, row: SubjectColumns, words: frozenset[str]) -> int:
    """Erase the person's names from what people have typed; return how many facts that changed."""
    theirs = (col(FactRow.subject_kind) == kind_of(row).name, col(FactRow.subject_id) == row.id)
    changed = 0
    for fact in await session.exec(select(FactRow).where(*theirs)):
        data = fact_without(fact.data, words)
        changed += data != fact.data
        fact.data = data
    return changed


async def _clear_notices(session: AsyncSession, row: SubjectColumns) -> int:
    theirs = (col(NoticeRow.subject_kind) == kind_of(row).name, col(NoticeRow.subject_id) == row.id, col(NoticeRow.content).is_not(None))
    return (await session.exec(update(NoticeRow).where(*theirs).values(content=None))).rowcount


async def _erase_subject(session: AsyncSession, row: SubjectColumns, words: frozenset[str], by: str) -> None:
    row.request, row.message = erased(row.request), without(row.message, words)
    row.epoch += 1
    if isinstance(row, SignupRow):
        row.email = f"erased:{row.id}"  # unique, and no address: whoever signs up with the old one is somebody new
    await record(session, row, Forgotten(by=by), source="person")
