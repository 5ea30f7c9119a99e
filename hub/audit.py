"""
The payment audit log: what was done with each subject's money, in order, and whether anybody has changed it since.

The database writes an entry whenever a charge or refund is attempted and whenever a fact about money is recorded, in the same commit. Each
entry's digest covers the one before it, so a changed, removed or inserted entry breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.inbox_tables import PaymentAuditCheckRow, PaymentAuditRow
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = 5000


class BrokenEntry(Frozen):
    """The first entry of a subject that does not follow from the one before it."""

    subject_kind: str
    subject_id: str
    number: int


class Audited(Frozen):
    """What was found: entries, subjects, the first broken entry of each chain, and one digest over all chains' heads."""

    entries: int
    subjects: int
    broken: tuple[BrokenEntry, ...]
    heads: str


async def verify_chains() -> Audited:
    """Follow every chain from its first entry to its last, and note for the metrics that it was done and how many are broken."""
    broken: list[BrokenEntry] = []
    heads = hashlib.sha256()
    entries, subjects = 0, 0
    before: PaymentAuditRow | None = None
    last: tuple[str, str, int] | None = None
    while rows := await _page(last):
        for row in rows:
            follows = before is not None and (before.subject_kind, before.subject_id) == (row.subject_kind, row.subject_id)
            if not follows:
                subjects += 1
                _add_head(heads, before)
                before = None
            if not _is_whole(row, before) and (row.subject_kind, row.subject_id) not in {(b.subject_kind, b.subject_id) for b in broken}:
                broken.append(BrokenEntry(subject_kind=row.subject_kind, subject_id=row.subject_id, number=row.number))
            before, entries = row, entries + 1
        last = (rows[-1].subject_kind, rows[-1].subject_id, rows[-1].number)
    _add_head(heads, before)
    await _note_check(len(broken))
    return Audited(entries=entries, subjects=subjects, broken=tuple(broken), heads=heads.hexdigest())


async def _note_check(broken: int) -> None:
    said = {"at": func.clock_timestamp(), "broken": broken}
    async with transaction() as session:
        check = insert(PaymentAuditCheckRow).values(id=1, **said)
        await session.exec(check.on_conflict_do_update(index_elements=["id"], set_=said))


async def _page(after: tuple[str, str, int] | None) -> list[PaymentAuditRow]:
    place = (col(PaymentAuditRow.subject_kind), col(PaymentAuditRow.subject_id), col(PaymentAuditRow.number))
    wanted = select(PaymentAuditRow).order_by(*place).limit(PAGE)
    if after is not None:
        wanted = wanted.where(tuple_(*place) > after)
    async with transaction() as session:
        return list(await session.exec(wanted))


def _add_head(heads: hashlib._Hash, row: PaymentAuditRow | None) -> None:
    if row is not None:
        heads.update(f"{row.subject_kind}|{row.subject_id}|{row.number}|{row.digest}\n".encode())


def _is_whole(row: PaymentAuditRow, before: PaymentAuditRow | None) -> bool:
    """Tell whether the entry follows from the one before it, as migration 0004 wrote it."""
    expected = 1 if before is None else before.number + 1
    return row.number == expected and row.digest == hashlib.sha256(_text(row, before).encode()).hexdigest()


def _text(row: PaymentAuditRow, before: PaymentAuditRow | None) -> str:
    parts: Iterable[object] = (
        "" if before is None else before.digest,
        row.subject_kind,
        row.subject_id,
        row.number,
        row.operation,
        row.amount,
        row.currency,
        row.correlation_id,
        row.provider_request_id or "",
        row.reference or "",
        row.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    )
    return "|".join(str(part) for part in parts)
