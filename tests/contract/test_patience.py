"""A provider that asks for patience gets it from everybody, at no attempt's cost; and nobody is patient for longer than a step's budget."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from hub.due import due_subjects
from hub.effects import Parked
from hub.errors import RateLimited
from hub.gate_views import Gate, gates
from hub.stock import reserve
from hub.tables import OrderRow
from tests.contract.ledger_kit import (
    Shop,
    attempts_of,
    changed,
    ends_with,
    outcomes_of,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
    until,
)


async def stripe_gate() -> Gate:
    [gate] = [one for one in await gates() if one.provider == "stripe"]
    return gate


async def stripe_is_closed() -> bool:
    return (await stripe_gate()).state == "closed"


async def asked_at(shop: Shop) -> list[float]:
    """When Stripe was asked for payments, in seconds, oldest first."""
    return sorted(float(request["at"]) for request in await shop.sandbox.requests("stripe", "create payment"))


async def test_seven_seconds_of_patience_are_seven_to_nine_and_burn_no_attempt(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=7)
    async with changed(wait_in_place_seconds="15"), run_of_a_new_order() as order:
        await reserve(order)
        await shop.pay(order)  # one try of the task

    refused, answered = await asked_at(shop)
    assert 7 <= answered - refused <= 9
    assert await outcomes_of(payment_effect(order)) == ["rate_limited", "done"]
    assert (await row_of(order.id)).runs_without_progress == 0


async def test_what_one_is_told_holds_for_all_who_come_meanwhile(shop: Shop) -> None:
    async def pays() -> None:
        async with run_of_a_new_order() as order:
            await reserve(order)
            await shop.pay(order)

    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(pays())
        await until(stripe_is_closed)
        gate = await stripe_gate()
        for _ in range(5):
            group.create_task(pays())

    assert (gate.state, gate.reason) == ("closed", "it asks for patience")
    refused, *answered = await asked_at(shop)
    assert len(answered) == 6
    assert min(answered) - refused >= 1
    assert (await stripe_gate()).closed_until is None


async def test_ten_minutes_of_patience_park_the_order_and_it_is_due_when_they_are_over(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=600)
    order_id = await placed()
    with ends_with(Parked, match="stripe is closed: it asks for patience"):
        async with run(order_id) as order:
            await reserve(order)
            await shop.pay(order)

    row = await row_of(order_id)
    [attempt] = await attempts_of(payment_effect(order))
    assert (attempt.outcome, row.runs_without_progress) == ("rate_limited", 0)
    assert 600 <= (due_at(row) - ended_at(attempt.ended_at)).total_seconds() < 602

    await time_goes_by(order_id, 599)
    assert order_id not in await due_now()
    await time_goes_by(order_id, 2)
    assert order_id in await due_now()
    async with run(order_id) as order:
        await shop.pay(order)
    assert await outcomes_of(payment_effect(order)) == ["rate_limited", "done"]
    assert len(await asked_at(shop)) == 2


def due_at(row: OrderRow) -> datetime:
    assert row.resume_at is not None
    return row.resume_at


def ended_at(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


async def time_goes_by(order_id: str, seconds: float) -> None:
    """Let the gate and the order be so much closer to the end of their wait."""
    await sql("UPDATE provider_gates SET closed_until = closed_until - make_interval(secs => :seconds)", seconds=seconds)
    await sql("UPDATE orders SET resume_at = resume_at - make_interval(secs => :seconds) WHERE id = :id", seconds=seconds, id=order_id)


async def due_now() -> set[str]:
    return {subject.id for subject in await due_subjects()}


async def test_no_patience_at_all_is_the_policys_business(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=0, times=None)
    async with run_of_a_new_order() as order:
        await reserve(order)
        with pytest.raises(RateLimited):
            await shop.pay(order)
        assert len(await asked_at(shop)) == 1


async def test_a_wish_for_years_is_granted_for_a_day(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=1e15)
    with ends_with(Parked) as parked:
        async with run_of_a_new_order() as order:
            await reserve(order)
            await shop.pay(order)

    assert isinstance(parked.value, Parked)
    assert parked.value.seconds == pytest.approx(86_400, abs=1)


async def test_patience_without_end_lasts_no_longer_than_the_budget(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=0.3, times=None)
    async with changed(time_scale="0.002"):  # 600 s are 1.2 s
        with ends_with(Parked, match="stripe took longer than payment may") as stopped:
            async with run_of_a_new_order() as order:
                await reserve(order)
                await shop.pay(order)

    asked = await asked_at(shop)
    assert 2 <= len(asked) <= 5
    assert asked[-1] - asked[0] <= 1.2
    assert isinstance(stopped.value, Parked)
    assert stopped.value.counts, "such a run brought the order no further"


async def test_looking_without_end_lasts_no_longer_than_the_budget(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "idempotency_error")
    with ends_with(Parked):
        async with run_of_a_new_order() as order:
            await reserve(order)
            await shop.pay(order)
    await shop.sandbox.fault("stripe", "list payments", "status", status=429, retry_after=0.3, times=None)
    async with changed(time_scale="0.002"):
        with ends_with(Parked, match="stripe took longer than payment may"):
            async with asyncio.timeout(10), run(order.id) as again:
                await shop.pay(again)

    assert 2 <= len(await attempts_of(payment_effect(order), "look")) <= 5


async def test_a_probe_that_is_asked_for_patience_leaves_the_next_call_a_probe(shop: Shop) -> None:
    await sql(
        "INSERT INTO provider_gates (provider, probes, closings, reason, closed_until)"
        " VALUES ('stripe', true, 1, '10 of 10 calls failed', clock_timestamp())"
    )
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=60)
    with ends_with(Parked):
        async with run_of_a_new_order() as order:
            await reserve(order)
            await shop.pay(order)
    await sql("UPDATE provider_gates SET closed_until = clock_timestamp()")

    orders = [await placed() for _ in range(4)]

    async def pays(order_id: str) -> bool:
        try:
            async with run(order_id) as order:
                await reserve(order)
                await shop.pay(order)
        except Parked:
            return False
        return True

    await shop.sandbox.fault("stripe", "create payment", "delay", seconds=0.5)
    assert sum(await asyncio.gather(*(pays(order_id) for order_id in orders))) == 1
    assert (await stripe_gate()).state == "open"
