"""
Works through the inbox: what each notice means is read, applied and marked in one commit.

Several may work at once: a batch is claimed with SKIP LOCKED, and a claim lasts as long as its transaction. When anything in a batch
fails, nothing of it is kept, and each of its notices is handled alone, so that one bad notice harms nobody.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlmodel import col, select

from hub import provider_log
from hub.applying import Contradiction, apply
from hub.database import transaction
from hub.erasing import is_erased
from hub.inbox_tables import NoticeRow
from hub.kinds import KINDS
from hub.notices import NoticeState
from hub.policies import EARLY_AT_MOST_SECONDS, NOTICE
from hub.readings import Address, News, Reference, Unreadable, reading_of
from hub.settings import settings
from hub.subject_rows import database_now, hub_identity
from hub.tables import EffectRow, OrderRow
from hub.tracing import span

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

log = logging.getLogger(__name__)

BATCH = 100
SOONEST_LOOK_SECONDS, LATEST_LOOK_SECONDS = 1.0, 600.0
"""An early notice is looked at again after as long as it has waited, within these; the trigger usually comes first."""
BUSY_SECONDS = 0.2
"""A notice whose subject somebody else has locked is looked at again after so long."""
TRACKING = "tracking:"


@dataclass
class Handled:
    """
    What came of some notices: how many by state, and which subjects have something to do now (kind and id).

    ``told``: each notice with its subject's correlation id and its age in seconds, until it is logged.
    """

    by_state: Counter[str] = field(default_factory=Counter)
    due: set[tuple[str, str]] = field(default_factory=set)
    told: list[tuple[NoticeRow, str | None, float]] = field(default_factory=list)

    def __add__(self, other: Handled) -> Handled:
        """Return both together."""
        return Handled(self.by_state + other.by_state, self.due | other.due, self.told + other.told)


async def handle_some(limit: int = BATCH) -> Handled:
    """Handle up to ``limit`` notices that are due, oldest first; none in ``by_state`` means that none was due."""
    handled = await _handle_batch(limit)
    for notice, correlation_id, seconds in handled.told:
        provider_log.told(notice, correlation_id, seconds)
    handled.told.clear()
    return handled


async def _handle_batch(limit: int) -> Handled:
    claimed: list[int] = []
    try:
        async with transaction() as session:
            rows = await _claim(session, limit)
            claimed = [row.id for row in rows]
            return await _handle(session, rows)
    except Exception as error:
        if not claimed:
            raise
        log.warning("a batch of %d notices failed (%s); each is handled alone now", len(claimed), type(error).__name__)
    handled = Handled()
    for notice_id in claimed:
        handled += await _handle_alone(notice_id)
    return handled


async def _claim(session: AsyncSession, limit: int) -> list[NoticeRow]:
    due = select(NoticeRow).where(col(NoticeRow.next_at) <= func.clock_timestamp())
    return list(await session.exec(due.order_by(col(NoticeRow.next_at), col(NoticeRow.id)).limit(limit).with_for_update(skip_locked=True)))


async def _handle_alone(notice_id: int) -> Handled:
    """Handle one notice in a transaction of its own; when that fails, it is tried again later, and given up after ten times."""
    try:
        async with transaction() as session:
            one = select(NoticeRow).where(col(NoticeRow.id) == notice_id, col(NoticeRow.next_at).is_not(None))
            return await _handle(session, list(await session.exec(one.with_for_update(skip_locked=True))))
    except Exception as error:  # a bug of ours, or a database in trouble; either way the notice stays
        log.exception("notice %d could not be handled", notice_id)
        async with transaction() as session:
            row = await session.get_one(NoticeRow, notice_id, with_for_update=True)
            row.tries += 1
            row.outcome = f"handling failed: {type(error).__name__}"
            row.next_at = await database_now(session) + timedelta(seconds=NOTICE.wait_seconds(row.tries))
            if row.tries >= NOTICE.attempts:
                row.state, row.next_at = NoticeState.FAILED, None
            return Handled(Counter({row.state: 1}))


async def _handle(session: AsyncSession, rows: Sequence[NoticeRow]) -> Handled:
    """Read and apply ``rows`` in the order in which they came."""
    handled = Handled()
    if not rows:
        return handled
    hub_id, now = (await hub_identity(session)).hub_id, await database_now(session)
    meant: list[tuple[NoticeRow, News]] = []
    for row in rows:
        try:
            news = _read(row)
        except Unreadable as doubt:
            _end(row, NoticeState.FAILED, f"nobody understands it: {doubt}", now)
            continue
        if isinstance(news, str):
            _end(row, NoticeState.NOT_FOR_US, news, now)
        else:
            meant.append((row, news))
    addresses = await _addresses(session, hub_id, [news for _, news in meant])
    wanted = {_subject_of(address) for address in addresses.values() if _is_ours(address, hub_id)}
    subjects = await _lock(session, wanted)
    busy = await _known(session, wanted - subjects.keys())
    effects = await _effects(session, {address.effect_key for address in addresses.values() if address.step is not None})
    put_off = set[int]()
    correlation_ids: dict[int, str] = {}
    for row, news in sorted(meant, key=lambda pair: pair[0].id):
        address = addresses.get(news.about)
        if address is not None and not address.belongs_to(hub_id):
            _end(row, NoticeState.NOT_FOR_US, "another hub shares this account", now)
        elif address is not None and _subject_of(address) in busy:
            row.next_at = now + timedelta(seconds=BUSY_SECONDS)
            put_off.add(row.id)
        elif address is None or (subject := subjects.get(_subject_of(address))) is None:
            _is_early(row, news.about if address is None else address, now)
        else:
            row.subject_kind, row.subject_id = address.subject_kind, address.subject_id
            correlation_ids[row.id] = subject.correlation_id
            effect = effects.get(address.effect_key)
            try:
                with span(f"{row.provider} {row.kind}", subject.correlation_id, "consumer", {"notice": str(row.id)}):
                    _end(row, NoticeState.HANDLED, await apply(session, subject, effect, address, news.facts), now)
            except Contradiction as contradiction:
                _end(row, NoticeState.QUARANTINED, str(contradiction), now)
            if is_erased(subject.request):
                row.content = None  # whoever was forgotten stays so, whatever providers tell of them later
            if subject.resume_at is not None:
                handled.due.add((address.subject_kind, subject.id))
    seen_to = [row for row in rows if row.id not in put_off]
    handled.by_state.update(row.state for row in seen_to)
    handled.told += [(row, correlation_ids.get(row.id), (now - row.received_at).total_seconds()) for row in seen_to]
    return handled


def _read(row: NoticeRow) -> News | str:
    """
    Return what the notice means to us, or the reason why it means nothing.

    Raises:
        Unreadable: It is not what its provider sends.
    """
    reading = reading_of(row.provider, row.kind)
    if reading is None:
        return f"nobody here reads {row.kind}"
    if row.content is None:
        raise Unreadable("its content was cleared away")
    try:
        event = json.loads(row.content)
    except ValueError:
        raise Unreadable("it is not JSON") from None
    if not isinstance(event, dict):
        raise Unreadable("it is not a JSON object")
    return reading(event) or f"{row.kind} is news that we do not act on"


def _end(row: NoticeRow, state: NoticeState, outcome: str, now: datetime) -> None:
    row.state, row.outcome, row.handled_at, row.next_at, row.waits_for = state, outcome, now, None, None


def _is_early(row: NoticeRow, about: Address | Reference, now: datetime) -> None:
    """Keep the notice until what it is about gets here; a trigger of the database makes it due then. Too old, it is over."""
    named = isinstance(about, Address)
    row.waits_for = f"{about.subject_kind}:{about.subject_id}" if isinstance(about, Address) else f"{about.provider}:{about.reference}"
    age_seconds = (now - row.received_at).total_seconds()
    if age_seconds > EARLY_AT_MOST_SECONDS * settings().time_scale:
        state = NoticeState.FAILED if named else NoticeState.NOT_FOR_US
        _end(row, state, f"{row.waits_for} never came", now)
        return
    row.state, row.outcome = NoticeState.EARLY, f"{row.waits_for} is not here yet"
    row.next_at = now + timedelta(seconds=min(max(age_seconds, SOONEST_LOOK_SECONDS), LATEST_LOOK_SECONDS))


def _is_ours(address: Address, hub_id: UUID) -> bool:
    return address.subject_kind in KINDS and address.belongs_to(hub_id)


def _subject_of(address: Address) -> tuple[str, str]:
    return address.subject_kind, address.subject_id


async def _addresses(session: AsyncSession, hub_id: UUID, news: Sequence[News]) -> dict[Address | Reference, Address]:
    """Return whom each news is about: what the provider said of our effect, or whose provider's reference it is."""
    found: dict[Address | Reference, Address] = {}
    wanted: set[Reference] = set()
    for one in news:
        if isinstance(one.about, Address):
            found[one.about] = one.about
        else:
            wanted.add(one.about)
    if not wanted:
        return found
    pairs = [(reference.provider, reference.reference) for reference in wanted]
    effects = await session.exec(select(EffectRow).where(tuple_(col(EffectRow.provider), col(EffectRow.reference)).in_(pairs)))
    for row in effects:
        about = Reference(provider=row.provider, reference=row.reference or "")
        found[about] = Address(hub_id=hub_id, subject_kind=row.subject_kind, subject_id=row.subject_id, step=row.step, attempt=row.attempt)
    numbers = {reference.reference.removeprefix(TRACKING): reference for reference in wanted if reference.reference.startswith(TRACKING)}
    if numbers:
        tracked = select(col(OrderRow.tracking_number), col(OrderRow.id)).where(col(OrderRow.tracking_number).in_(list(numbers)))
        for number, order_id in await session.exec(tracked):
            found[numbers[number or ""]] = Address(hub_id=hub_id, subject_kind="order", subject_id=order_id)
    return found


async def _lock(session: AsyncSession, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Lock the subjects that nobody else has locked: whoever stands still with one of them must not hold up the others."""
    locked: dict[tuple[str, str], Any] = {}
    for name, kind in sorted(KINDS.items()):
        if ids := {subject_id for of_kind, subject_id in wanted if of_kind == name}:
            rows = select(kind.row).where(col(kind.row.id).in_(ids)).with_for_update(skip_locked=True)
            locked |= {(name, row.id): row for row in await session.exec(rows)}
    return locked


async def _known(session: AsyncSession, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of these subjects there are."""
    known: set[tuple[str, str]] = set()
    for name, kind in KINDS.items():
        if ids := {subject_id for of_kind, subject_id in wanted if of_kind == name}:
            known |= {(name, found) for found in await session.exec(select(col(kind.row.id)).where(col(kind.row.id).in_(ids)))}
    return known


async def _effects(session: AsyncSession, keys: set[str]) -> dict[str, EffectRow]:
    rows = select(EffectRow).where(col(EffectRow.key).in_(keys))
    return {row.key: row for row in await session.exec(rows)} if keys else {}
