"""What is due is found, what died is noticed, and what gets nowhere goes to a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import update
from sqlmodel import col

from hub.claims import take
from hub.database import transaction
from hub.due import dead_runs, due_subjects, give_up_the_hopeless, live_runs, next_run_key, skip_fence
from hub.effects import LeaseLost, Parked
from hub.facets import Status
from hub.intake import go_on
from hub.order_rows import NoSuchOrder
from hub.subject_rows import locked
from hub.tables import RunRow
from tests.contract.ledger_kit import dies, ends_with, lease_ends, placed, row_of, run, runs_of, sql


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _no_orders(hub_database: str) -> AsyncIterator[None]:
    yield
    await sql("TRUNCATE orders, effects, attempts, facts, runs CASCADE")


async def test_what_is_due_is_found_longest_waiting_first() -> None:
    first, second, parked, resting = [await placed() for _ in range(4)]
    await sql("UPDATE orders SET resume_at = clock_timestamp() - interval '1 min' WHERE id = :id", id=second)
    await sql("UPDATE orders SET resume_at = clock_timestamp() + interval '1 min' WHERE id = :id", id=parked)
    await sql("UPDATE orders SET resume_at = NULL WHERE id = :id", id=resting)

    assert [order.id for order in await due_subjects()] == [second, first]
    assert [order.id for order in await due_subjects(limit=1)] == [second]
    assert await next_run_key(parked) is None
    assert await next_run_key(resting) is None


async def test_an_order_in_somebodys_hands_is_not_due_until_the_lease_ends() -> None:
    order = await dies(await placed())
    assert await due_subjects() == []
    assert await next_run_key(order.id) is None
    assert await live_runs() == {order.run_id}

    await lease_ends(order)
    [due] = await due_subjects()
    assert (due.id, due.fence) == (order.id, order.fence)
    assert due.run_key == f"{order.hub_id}:order:{order.id}:1:1" == await next_run_key(order.id)
    assert await live_runs() == set()


async def test_each_claim_has_one_run_key_and_the_next_claim_another() -> None:
    order_id = await placed()
    [before] = await due_subjects()
    assert (await due_subjects())[0].run_key == before.run_key
    with ends_with(KeyError):
        async with run(order_id):
            raise KeyError("bug")
    await sql("UPDATE orders SET resume_at = clock_timestamp() WHERE id = :id", id=order_id)
    [after] = await due_subjects()
    assert after.run_key != before.run_key


async def test_a_dead_run_is_noticed_once() -> None:
    order = await dies(await placed())
    assert await dead_runs() == []
    await lease_ends(order)
    assert await dead_runs() == [order.run_id]
    assert await dead_runs() == []
    [died] = await runs_of(order.id)
    assert died.ended_as == "died"


async def test_a_process_that_stands_still_in_a_transaction_holds_up_no_sweep() -> None:
    frozen, other = await dies(await placed()), await dies(await placed())
    await lease_ends(frozen)
    await lease_ends(other)
    await sql("UPDATE orders SET runs_without_progress = 8")

    async with transaction() as session:
        await locked(session, frozen.id)
        await session.exec(update(RunRow).where(col(RunRow.run_id) == frozen.run_id).values(ended_as="rested"))
        async with asyncio.timeout(10):
            assert await dead_runs() == [other.run_id]
            assert await give_up_the_hopeless() == [("order", other.id)]

    assert await give_up_the_hopeless() == [("order", frozen.id)]


async def test_a_run_that_was_overtaken_is_dead_and_its_heir_lives() -> None:
    order = await dies(await placed())
    await lease_ends(order)
    heir = await take(order.id, "the heir")
    assert heir is not None
    assert await dead_runs() == [order.run_id]
    assert await live_runs() == {"the heir"}
    await heir.let_go("rested", resume_in_seconds=None)
    assert await dead_runs() == []


async def test_a_run_that_ended_without_taking_its_order_makes_room_for_another() -> None:
    order_id = await placed()
    [due] = await due_subjects()
    following = await skip_fence(due)
    assert following is not None
    assert following.fence == due.fence + 1
    assert following.run_key == await next_run_key(order_id)
    assert await skip_fence(due) is None, "somebody else has made room already"
    lease = await take(order_id, "run")
    assert lease is not None
    assert lease.subject.fence == following.fence + 1
    assert await skip_fence(following) is None


async def test_an_order_that_eight_runs_brought_no_further_goes_to_a_person_and_comes_back_at_their_word() -> None:
    order_id = await placed()
    for number in range(8):
        assert await give_up_the_hopeless() == [], f"after {number} runs"
        with ends_with(LeaseLost):
            async with run(order_id):
                raise LeaseLost("in a circle")
    assert await due_subjects() == []
    assert await give_up_the_hopeless() == [("order", order_id)]
    assert await give_up_the_hopeless() == []

    row = await row_of(order_id)
    assert row.status == Status.NEEDS_ATTENTION
    assert row.resume_at is not None, "the next run tells the team"
    assert "8 runs" in (row.attention or "")
    await go_on(order_id)
    assert [due.id for due in await due_subjects()] == [order_id]
    assert await give_up_the_hopeless() == []


async def test_an_order_that_waits_behind_a_closed_gate_for_a_day_goes_to_a_person() -> None:
    order_id = await placed()
    with ends_with(Parked):
        async with run(order_id):
            raise Parked(0, "a closed gate")
    assert await give_up_the_hopeless() == []
    await sql("UPDATE orders SET progressed_at = progressed_at - interval '24 hours 1 second' WHERE id = :id", id=order_id)
    assert await give_up_the_hopeless() == [("order", order_id)]


async def test_an_order_that_nobody_tried_since_it_came_is_not_hopeless_however_old() -> None:
    order_id = await placed()
    await sql("UPDATE orders SET progressed_at = progressed_at - interval '3 days' WHERE id = :id", id=order_id)
    assert await give_up_the_hopeless() == []
    assert [due.id for due in await due_subjects()] == [order_id]


async def test_an_order_in_somebodys_hands_is_not_given_up() -> None:
    order = await dies(await placed())
    await sql("UPDATE orders SET runs_without_progress = 8 WHERE id = :id", id=order.id)
    assert await give_up_the_hopeless() == []


async def test_an_order_that_does_not_exist_is_never_due() -> None:
    with pytest.raises(NoSuchOrder):
        await next_run_key("o-nowhere")
