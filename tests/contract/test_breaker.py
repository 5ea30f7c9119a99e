"""A provider that fails is left alone, probed, and taken up again; a limited or paused one is called no faster than it may be."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from hub.database import transaction
from hub.effects import Parked
from hub.errors import OutcomeUnknown
from hub.gate_views import Gate, NoSuchProvider, gates, limit, pause, resume, set_breaker, wake_behind_opened_gates
from hub.policies import BREAKER
from hub.stock import reserve
from hub.subject_rows import database_now
from tests.contract.ledger_kit import (
    Shop,
    attempts_of,
    ends_with,
    outcomes_of,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("TRUNCATE orders, effects, attempts, facts, runs CASCADE")
    return shop


async def gate_of(provider: str) -> Gate:
    [gate] = [one for one in await gates() if one.provider == provider]
    return gate


async def pays(shop: Shop, order_id: str) -> None:
    """One run that tries once to pay."""
    async with run(order_id) as order:
        await reserve(order)
        await shop.pay(order)


async def fails(shop: Shop) -> str:
    """A new order whose charge is answered with a 500; returns its id."""
    order_id = await placed()
    with ends_with(Parked):
        await pays(shop, order_id)
    return order_id


async def outage(shop: Shop) -> list[str]:
    """Stripe answers nothing but 500 until its gate closes; returns the orders that met that."""
    await shop.sandbox.fault("stripe", "create payment", "status", status=500, times=None)
    return [await fails(shop) for _ in range(BREAKER.least_calls)]


async def the_time_of_closure_passes() -> None:
    await sql("UPDATE provider_gates SET closed_until = clock_timestamp() WHERE closed_until IS NOT NULL")


async def test_a_provider_that_fails_too_often_is_left_alone_and_who_comes_then_parks_without_an_attempt(shop: Shop) -> None:
    await outage(shop)

    gate = await gate_of("stripe")
    assert (gate.state, gate.reason) == ("closed", "10 of 10 calls failed")
    asked = len(await shop.sandbox.requests("stripe"))
    order_id = await placed()
    with ends_with(Parked, match="stripe is closed: 10 of 10 calls failed"):
        async with run(order_id) as order:
            await reserve(order)
            await shop.pay(order)
    assert await attempts_of(payment_effect(order)) == []
    assert len(await shop.sandbox.requests("stripe")) == asked
    assert (await row_of(order_id)).runs_without_progress == 0


async def test_failures_among_many_successes_close_nothing(shop: Shop) -> None:
    await fails_once(shop)
    for _ in range(2 * BREAKER.least_calls):
        await pays(shop, await placed())
    for _ in range(BREAKER.least_calls // 2):
        await fails_once(shop)

    assert (await gate_of("stripe")).state == "open"


async def fails_once(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=500)
    await fails(shop)


async def test_a_breaker_that_a_person_has_switched_off_closes_nothing(shop: Shop) -> None:
    await set_breaker("stripe", on=False)

    await outage(shop)

    assert (await gate_of("stripe")).state == "open"


async def test_of_those_who_come_when_the_time_is_over_one_is_a_probe_and_its_failure_closes_for_twice_as_long(shop: Shop) -> None:
    await outage(shop)
    await the_time_of_closure_passes()
    asked = len(await shop.sandbox.requests("stripe"))

    async def tries(order_id: str) -> None:
        with ends_with(Parked):
            await pays(shop, order_id)

    await asyncio.gather(*[tries(await placed()) for _ in range(6)])

    assert len(await shop.sandbox.requests("stripe")) == asked + 1
    closed_until = (await gate_of("stripe")).closed_until
    assert closed_until is not None
    async with transaction() as session:
        closed_for = closed_until - await database_now(session)
    assert closed_for.total_seconds() == pytest.approx(2 * BREAKER.closed_seconds, abs=5)


async def test_a_probe_that_succeeds_opens_the_gate_and_wakes_who_parked_behind_it(shop: Shop) -> None:
    parked = await outage(shop)
    await shop.sandbox.clear_faults()
    await the_time_of_closure_passes()
    assert await wake_behind_opened_gates() == 0

    await pays(shop, await placed())

    assert (await gate_of("stripe")).state == "open"
    assert await wake_behind_opened_gates() == len(parked)
    assert await wake_behind_opened_gates() == 0
    for order_id in parked:
        await pays(shop, order_id)
    assert await shop.sandbox.count("stripe", "charge") == len(parked) + 1


async def test_a_paused_provider_is_not_called_until_a_person_resumes_it(shop: Shop) -> None:
    await pause("stripe", "the bank asked us to")
    order_id = await placed()
    with ends_with(Parked, match="stripe is paused: the bank asked us to"):
        await pays(shop, order_id)
    assert await shop.sandbox.requests("stripe") == []
    assert (await gate_of("stripe")).state == "paused"

    assert await resume("stripe") == 1

    await pays(shop, order_id)
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_a_limited_provider_is_called_at_its_pace_and_no_attempt_is_burnt(shop: Shop) -> None:
    await limit("stripe", 20, burst=5)
    orders = [await placed() for _ in range(25)]

    await asyncio.gather(*(pays(shop, order_id) for order_id in orders))

    asked = sorted(float(request["at"]) for request in await shop.sandbox.requests("stripe", "create payment"))
    assert len(asked) == 25
    assert max(sum(begin <= at < begin + 1 for at in asked) for begin in asked) <= 20 + 5
    assert asked[-1] - asked[0] >= (25 - 5 - 1) / 20
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.pay(order)
    assert await outcomes_of(payment_effect(order)) == ["done"]


async def test_who_would_wait_too_long_for_a_limited_provider_parks(shop: Shop) -> None:
    await limit("stripe", 0.1)
    await pays(shop, await placed())

    with ends_with(Parked, match=r"stripe is limited to 0\.1 a second"):
        await pays(shop, await placed())


async def test_a_provider_that_nobody_calls_is_named_with_those_that_are(shop: Shop) -> None:
    with pytest.raises(NoSuchProvider, match="no provider 'paypal'; it calls github, profiles, sendgrid, shippo, slack, stripe, twilio"):
        await pause("paypal", "by hand")


async def test_what_nobody_knows_counts_as_a_failure(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
    async with run_of_a_new_order() as order:
        await reserve(order)
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)
        assert (await gate_of("stripe")).failures == 1
        await shop.pay(order)
