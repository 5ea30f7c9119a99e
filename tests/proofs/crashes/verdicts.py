"""What came of a subject that was struck, and whether that is right: in its final state, and everything done once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import asyncpg

from tests.journeys.hub_under_test import Hub
from tests.proofs.crashes.scenarios import Scenario
from tests.proofs.crashes.strikes import Strike

ROWS = " UNION ALL ".join(
    f"SELECT id, status, attention, resume_at, lease_until > clock_timestamp() AS held, message FROM {table}"  # noqa: S608 - our own names
    for table in ("orders", "signups", "releases")
)
WAITS_FOR_NEWS = "release"
"""A release is due again when nobody has told anything for too long."""
UNDER_WAY = "SELECT subject_id, step, state, resume_at FROM effects WHERE state = 'intended' OR resume_at IS NOT NULL"
PENDING = "SELECT subject_id, step FROM effects WHERE state = 'pending' AND resume_at IS NULL"
CALLS = "SELECT subject_id, data ->> 'reason' AS reason FROM facts WHERE kind = 'needs attention'"
RECORDS = "SELECT signup_id, 'registration' AS what FROM registrations"
A_MAIL_NOBODY_KNOWS_OF = "nobody knows whether sendgrid did"
HARMLESS = ("slack.message_updated",)
"""Done twice it is done once: a message that shows the same again. `hub guarantees` says so of the step."""
NEEDS_ATTENTION = "needs attention"


@dataclass(frozen=True)
class End:
    """
    Where a subject is: its status, what a person is asked for, and what the providers have done for it.

    ``open``: what goes on by itself; ``pending``: steps that wait for a webhook; ``called``: why a person was called, also where nobody is
    needed any more, because a process that was thought dead has said what came of its call.
    """

    status: str
    attention: str | None
    open: tuple[str, ...]
    pending: tuple[str, ...]
    called: tuple[str, ...]
    done: Counter[str]

    @property
    def outcome(self) -> str:
        return NEEDS_ATTENTION if self.attention else self.status


async def ends(hub: Hub, database: asyncpg.Connection) -> dict[str, End]:
    """Return where every order and sign-up is."""
    done: dict[str, Counter[str]] = {}
    for effect in await hub.sandbox.effects():
        done.setdefault(effect["subject"], Counter())[f"{effect['provider']}.{effect['kind']}"] += 1
    for row in await database.fetch(RECORDS):
        done.setdefault(row["signup_id"], Counter())[row["what"]] += 1
    open_things: dict[str, list[str]] = {}
    for row in await database.fetch(UNDER_WAY):
        open_things.setdefault(row["subject_id"], []).append(f"{row['step']} is {row['state']}, due {row['resume_at']}")
    pending: dict[str, list[str]] = {}
    for row in await database.fetch(PENDING):
        pending.setdefault(row["subject_id"], []).append(row["step"])
    called: dict[str, list[str]] = {}
    for row in await database.fetch(CALLS):
        called.setdefault(row["subject_id"], []).append(row["reason"])
    rows = await database.fetch(ROWS)
    for row in rows:
        if row["held"] or (row["resume_at"] is not None and not (row["id"].startswith(WAITS_FOR_NEWS) and row["status"] == "waiting")):
            open_things.setdefault(row["id"], []).append(f"{'held' if row['held'] else 'due'}: {row['message']}")
    return {
        row["id"]: End(
            row["status"],
            row["attention"],
            tuple(open_things.get(row["id"], ())),
            tuple(pending.get(row["id"], ())),
            tuple(called.get(row["id"], ())),
            done.get(row["id"], Counter()),
        )
        for row in rows
    }


def is_over(end: End | None, scenario: Scenario) -> bool:
    """Tell whether nothing goes on by itself any more, and the subject is where it should be, or a person is asked."""
    return end is not None and not end.open and (end.status == scenario.ends or end.attention is not None)


def wrong(end: End, calm: End, strike: Strike) -> list[str]:
    """Return what is not as it has to be after the strike; ``calm`` is what came of the same without one."""
    found = [f"not over: {one}" for one in end.open] + [f"still pending: {step}" for step in end.pending]
    if more := {
        what: n for what, n in (end.done - calm.done - Counter({"slack.message": len(end.called)})).items() if what not in HARMLESS
    }:
        found.append(f"done too often: {more}")
    may_be_lost = strike in (Strike.WORKER, Strike.FREEZE)
    found += [f"needs attention: {why}" for why in end.called if not (may_be_lost and why.startswith(A_MAIL_NOBODY_KNOWS_OF))]
    if end.attention is not None:
        return found
    if end.status != calm.status:
        found.append(f"is {end.status}, not {calm.status}")
    if less := calm.done - end.done:
        found.append(f"never done: {dict(less)}")
    return found
