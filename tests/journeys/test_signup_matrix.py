"""Every pair of troubles of a sign-up, through the real stack: status, flags, notifications, errors, and what the providers counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.journeys.hub_under_test import Hub, until
from tests.journeys.signup_cells import NO_RECORDS, TROUBLES, Cell, Outcome, cells, expected, make_trouble, pairwise
from tests.journeys.signup_kit import seen, signup, told

pytestmark = pytest.mark.timeout(400)
AT_LEAST = 40
SECONDS = 90
AT_MOST = Counter({"profiles.profile": 1, "profiles.removal": 1, "stripe.charge": 1, "sendgrid.mail": 2, "twilio.text": 3})
COUNTED = set(AT_MOST)


async def test_every_pair_of_troubles_is_reported_as_it_was_and_nothing_runs_that_should_not(hub: Hub) -> None:
    matrix = cells()
    assert len(matrix) >= AT_LEAST
    async with hub.without_breakers(), no_records(hub):
        await asyncio.gather(*(make_trouble(hub.sandbox, cell) for cell in matrix))
        placed = await asyncio.gather(*(_place(hub, cell) for cell in matrix))
        assert set(placed) == {201}
        came = await _came_of_all(hub, matrix)

        wrong = {f"{cell.id} {cell.values}": (got, expected(cell)) for cell, got in came.items() if got != expected(cell)}
        assert not wrong
        async with hub.database() as database:
            unrecorded = await database.fetchval("SELECT count(*) FROM registrations WHERE signup_id LIKE '%' || $1", NO_RECORDS)
        assert unrecorded == 0
    await hub.sandbox.clear_faults()

    left: list[str] = []
    async with hub.database() as database:
        for cell in matrix:  # spares the back-off
            await database.execute("UPDATE signups SET resume_at = clock_timestamp() WHERE id = $1 AND resume_at IS NOT NULL", cell.id)
        await hub.start({}, deployment="sweep/hub")
        await until(lambda: _nothing_is_left(database, left), seconds=SECONDS, what=lambda: f"what was put off, but {left}")
    afterwards = {cell.id: await _counted(hub, cell) for cell in matrix}
    assert not {signup_id: counted for signup_id, counted in afterwards.items() if counted - AT_MOST}, "something happened twice"


def test_the_matrix_holds_every_pair() -> None:
    rows = pairwise({"a": TROUBLES, "b": TROUBLES, "c": ("x", "y")})

    assert {(row["a"], row["b"]) for row in rows} == {(x, y) for x in TROUBLES for y in TROUBLES}
    assert {(row["b"], row["c"]) for row in rows} == {(x, y) for x in TROUBLES for y in ("x", "y")}


async def _place(hub: Hub, cell: Cell) -> int:
    critical = {"critical": ["profile", "payment"]} if cell["critical"] == "payment" else {}
    return (await hub.gateway.put(f"/signups/{cell.id}", json=cell.request, params=critical)).status_code


async def _came_of_all(hub: Hub, matrix: list[Cell]) -> dict[Cell, Outcome]:
    """
    Return what the outside sees of each, once that is what was expected, or whatever it is when there was time enough.

    Only those are looked at again whose row has changed since: to look at all of them all the time would take longer than what is tested.
    """
    came: dict[Cell, Outcome] = {}
    seen_of: dict[Cell, str] = {}

    async with hub.database() as database:

        async def all_as_expected() -> bool:
            rows = dict(await database.fetch("SELECT id, signups::text FROM signups WHERE id LIKE 'cell-%'"))
            for cell in matrix:
                if came.get(cell) != expected(cell) and seen_of.get(cell) != rows[cell.id]:
                    came[cell], seen_of[cell] = await _came_of(hub, database, cell), rows[cell.id]
            return all(came[cell] == expected(cell) for cell in matrix)

        with contextlib.suppress(AssertionError):
            await until(all_as_expected, seconds=SECONDS)
        for cell in matrix:
            if came[cell] != expected(cell):
                came[cell] = await _came_of(hub, database, cell)
    return came


async def _came_of(hub: Hub, database: asyncpg.Connection, cell: Cell) -> Outcome:
    view = await signup(hub, cell.id)
    steps = [row["step"] for row in await database.fetch("SELECT step FROM effects WHERE subject_id = $1", cell.id)]
    return Outcome(
        status=view["status"],
        flags=(view["profileCreated"], view["paymentProcessed"]),
        told=frozenset(told(view)),
        errors=tuple(view["errors"]),
        seen=await _counted(hub, cell),
        steps=frozenset(step for step in steps if not step.startswith("untold.")),  # the team is told a moment later
    )


async def _counted(hub: Hub, cell: Cell) -> Counter[str]:
    return Counter({name: count for name, count in (await seen(hub, cell.id)).items() if name in COUNTED})


async def _nothing_is_left(database: asyncpg.Connection, left: list[str]) -> bool:
    """Tell whether everything that was only put off has happened: records, messages, and the profiles that nobody knew of."""
    rows = await database.fetch(
        "SELECT id, attention, message, resume_at FROM signups WHERE id LIKE 'cell-%' AND (records <> 'ok' OR profile = 'unknown'"
        " OR 'unavailable' IN (welcome, confirmation, verification) OR verification = 'unknown')"
    )
    left[:] = [str(dict(row)) for row in rows]
    return not left


@asynccontextmanager
async def no_records(hub: Hub) -> AsyncIterator[None]:
    """While the block runs, the database rejects registrations and activities of those whose id says so."""
    async with hub.database() as database:
        await database.execute("""
            CREATE FUNCTION reject_records() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$
        """)
        for table in ("registrations", "activities"):
            await database.execute(f"""
                CREATE TRIGGER reject_records BEFORE INSERT ON {table} FOR EACH ROW
                WHEN (NEW.signup_id LIKE '%{NO_RECORDS}') EXECUTE FUNCTION reject_records()
            """)
        try:
            yield
        finally:
            for table in ("registrations", "activities"):  # one lock at a time: runs that write records take both
                await database.execute(f"DROP TRIGGER reject_records ON {table}")
            await database.execute("DROP FUNCTION reject_records")
