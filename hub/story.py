"""One subject's whole story in the order it happened: facts, calls, looks and runs. Ids and outcomes only, nothing about the customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlmodel import col, select

from hub.database import transaction
from hub.tables import AttemptRow, EffectRow, FactRow, RunRow
from hub.values import Frozen

HIDDEN = ("kind", "next_action", "epoch")


class Event(Frozen):
    """One line of the story. ``what`` reads like a sentence; ``detail`` holds ids, codes and durations."""

    at: datetime
    about: Literal["fact", "effect", "run"]
    what: str
    detail: str


async def story_of(subject_id: str, kind: str = "order") -> list[Event]:
    """Return everything that has happened to the subject, oldest first; empty for one that nobody has heard of."""
    async with transaction() as session:
        facts = await session.exec(select(FactRow).where(col(FactRow.subject_kind) == kind, col(FactRow.subject_id) == subject_id))
        runs = await session.exec(select(RunRow).where(col(RunRow.subject_kind) == kind, col(RunRow.subject_id) == subject_id))
        calls = await session.exec(
            select(AttemptRow, EffectRow)
            .join(EffectRow, col(AttemptRow.effect_key) == col(EffectRow.key))
            .where(col(EffectRow.subject_kind) == kind, col(EffectRow.subject_id) == subject_id)
        )
        events = [_fact(row) for row in facts] + [event for row in runs for event in _run(row)] + [_call(*pair) for pair in calls]
    return sorted(events, key=lambda event: event.at)


def _fact(row: FactRow) -> Event:
    known: dict[str, Any] = {name: value for name, value in row.data.items() if name not in HIDDEN and value not in (None, [])}
    detail = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in known.items())
    return Event(at=row.at, about="fact", what=row.kind, detail=detail + (f" (from {row.source})" if row.source != "run" else ""))


def _run(row: RunRow) -> list[Event]:
    began = Event(at=row.started_at, about="run", what=f"run {row.fence} begins", detail=f"flow run {row.run_id}, attempt {row.attempt}")
    if row.ended_at is None:
        return [began]
    return [began, Event(at=row.ended_at, about="run", what=f"run {row.fence} ends", detail=row.ended_as or "")]


def _call(attempt: AttemptRow, effect: EffectRow) -> Event:
    verb = "look" if attempt.kind == "look" else effect.action
    parts = [effect.key, attempt.outcome or "no answer yet"]
    if attempt.http_status is not None:
        parts.append(f"HTTP {attempt.http_status}")
    if attempt.provider_request_id is not None:
        parts.append(attempt.provider_request_id)
    if effect.reference is not None and attempt.outcome in ("done", "found", "pending"):
        parts.append(effect.reference)
    if attempt.ended_at is not None and attempt.kind == "call":
        parts.append(f"{(attempt.ended_at - attempt.started_at).total_seconds() * 1000:.0f} ms")
    return Event(at=attempt.started_at, about="effect", what=f"{effect.provider}: {verb}", detail=", ".join(parts))
