"""What the rows and Prefect say of orders that have something to do: read when a proof does not come to its end."""

from __future__ import annotations

import asyncpg

from tests.journeys.hub_under_test import Hub

DUE = """
    SELECT id, status, attention IS NOT NULL AS needs_attention, fence, epoch, runs_without_progress, message,
        resume_at - clock_timestamp() AS due_in, lease_until - clock_timestamp() AS held_for, clock_timestamp() - progressed_at AS quiet_for
    FROM orders WHERE resume_at IS NOT NULL OR lease_until > clock_timestamp() ORDER BY progressed_at LIMIT 10
"""
EFFECTS = "SELECT step, state, code, delivery, resume_at, settled_at FROM effects WHERE subject_id = $1 ORDER BY created_at"
CALLS = """
    SELECT attempts.effect_key, kind, started_at, ended_at, outcome, http_status, fence FROM attempts JOIN effects ON key = effect_key
    WHERE subject_id = $1 ORDER BY attempts.id DESC LIMIT 6
"""
RUNS = "SELECT run_id, fence, started_at, ended_at, ended_as FROM runs WHERE subject_id = $1 ORDER BY id"
FLOW_RUNS = """
    SELECT flow_run.id, state_name, expected_start_time, start_time, end_time, idempotency_key, parameters FROM flow_run
    WHERE parameters::text LIKE '%"' || $1 || '"%' ORDER BY created
"""


async def unfinished(hub: Hub) -> list[str]:
    """Return the orders that are due or held, those that nothing has happened to for longest first, each with what belongs to it."""
    said = []
    async with hub.database() as database, hub.database("prefect") as prefect:
        for order in await database.fetch(DUE):
            said.append(_line(order))
            said += await told_of(database, order["id"])
            said += [f"    {_line(row)}" for row in await prefect.fetch(FLOW_RUNS, order["id"])]
    return said


async def told_of(database: asyncpg.Connection, subject_id: str) -> list[str]:
    """Return a line for each effect, call and run of the subject."""
    questions = (EFFECTS, CALLS, RUNS)
    return [f"    {_line(row)}" for question in questions for row in await database.fetch(question, subject_id)]


def _line(row: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in dict(row).items() if value is not None)  # type: ignore[call-overload]  # a record
