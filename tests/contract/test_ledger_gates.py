"""Gates, patience and courtesies: when a provider is left alone, and what is put off until it may be asked again."""

from __future__ import annotations

import asyncio

import pytest

from hub.effects import LeaseLost, Parked
from hub.errors import Misconfigured, OutcomeUnknown, RateLimited
from hub.facets import Status
from hub.gate_views import gates
from hub.stock import reserve
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    SLACK_KEY,
    STRIPE_KEY,
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
    team_effect,
    time_passes,
)


async def why_closed(provider: str) -> str | None:
    [gate] = [one for one in await gates() if one.provider == provider]
    return gate.reason if gate.closed_until is not None else None


async def the_gate_opens(provider: str) -> None:
    await sql("UPDATE provider_gates SET closed_until = clock_timestamp() WHERE provider = :name", name=provider)


async def test_three_misconfigured_answers_close_the_gate_and_a_success_opens_it(shop: Shop) -> None:
    await shop.sandbox.revoke("stripe", STRIPE_KEY)
    for _ in range(3):
        assert await why_closed("stripe") is None
        with ends_with(Parked):
            async with run_of_a_new_order() as failing:
                await reserve(failing)
                with pytest.raises(Misconfigured) as wrong_key:
                    await shop.pay(failing)
                raise wrong_key.value
        assert (await row_of(failing.id)).status == Status.RECEIVED, "a revoked key fails nobody's payment"
    assert "misconfigured" in (await why_closed("stripe") or "")

    asked = len(await shop.sandbox.requests("stripe"))
    order_id = await placed()
    with ends_with(Parked, match="stripe is closed: misconfigured"):
        async with run(order_id) as order:
            await reserve(order)
            await shop.pay(order)
    assert await attempts_of(payment_effect(order)) == []
    assert len(await shop.sandbox.requests("stripe")) == asked
    row = await row_of(order_id)
    assert row.runs_without_progress == 0
    assert row.resume_at is not None

    await shop.sandbox.restore("stripe", STRIPE_KEY)
    await the_gate_opens("stripe")
    async with run(order_id) as order:
        await shop.pay(order)
    await shop.sandbox.revoke("stripe", STRIPE_KEY)
    async with run_of_a_new_order() as unlucky:
        await reserve(unlucky)
        with pytest.raises(Misconfigured):
            await shop.pay(unlucky)
        assert await why_closed("stripe") is None, "the success has begun a new count"


async def test_a_gate_that_was_closed_closes_again_at_the_first_wrong_answer(shop: Shop) -> None:
    await shop.sandbox.revoke("stripe", STRIPE_KEY)
    await sql("INSERT INTO provider_gates (provider, misconfigured_in_a_row, closed_until) VALUES ('stripe', 3, clock_timestamp())")
    async with run_of_a_new_order() as order:
        await reserve(order)
        with pytest.raises(Misconfigured):
            await shop.pay(order)
    assert await why_closed("stripe") is not None


async def test_many_runs_that_meet_a_revoked_key_at_once_all_learn_what_it_is(shop: Shop) -> None:
    await shop.sandbox.revoke("stripe", STRIPE_KEY)

    async def pays() -> list[str | None]:
        async with run_of_a_new_order() as order:
            await reserve(order)
            with pytest.raises((Misconfigured, Parked)):
                await shop.pay(order)
            return await outcomes_of(payment_effect(order))

    outcomes = await asyncio.gather(*(pays() for _ in range(8)))
    assert [one for one in outcomes if one not in (["misconfigured"], [])] == []
    assert await why_closed("stripe") is not None


async def test_a_short_wish_for_patience_is_granted_in_place(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=0.2, times=2)
        await shop.pay(order)

    assert await outcomes_of(payment_effect(order)) == ["rate_limited", "rate_limited", "done"]
    assert await why_closed("stripe") is None
    first, second, _ = await attempts_of(payment_effect(order))
    assert (second.started_at - first.started_at).total_seconds() >= 0.2


async def test_a_long_wish_for_patience_parks_every_order_without_another_request(shop: Shop) -> None:
    order_id = await placed()
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=60)
    with pytest.raises(Parked) as parked:  # noqa: PT012 - the block is one run
        async with run(order_id) as order:
            await reserve(order)
            await shop.pay(order)
    assert parked.value.seconds == pytest.approx(60, abs=1)
    assert not parked.value.counts
    row = await row_of(order_id)
    assert row.resume_at is not None
    assert (row.resume_at - row.progressed_at).total_seconds() == pytest.approx(60, abs=5)
    assert row.runs_without_progress == 0

    with ends_with(Parked, match="stripe is closed: it asks for patience"):
        async with run_of_a_new_order() as other:
            await reserve(other)
            await shop.pay(other)
    assert await attempts_of(payment_effect(other)) == []
    assert len(await shop.sandbox.requests("stripe")) == 1


async def test_patience_without_a_number_is_the_policys_business(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=429)
        with pytest.raises(RateLimited):
            await shop.pay(order)
        await shop.pay(order)
    assert await outcomes_of(payment_effect(order)) == ["rate_limited", "done"]


async def test_a_parked_run_keeps_the_runs_before_it_in_mind(shop: Shop) -> None:
    order_id = await placed()
    await sql("UPDATE orders SET runs_without_progress = 5 WHERE id = :id", id=order_id)
    with ends_with(LeaseLost):
        async with run(order_id):
            raise LeaseLost("as an example")
    with ends_with(Parked):
        async with run(order_id):
            raise Parked(1, "a closed gate")
    assert (await row_of(order_id)).runs_without_progress == 6


async def test_a_look_learns_about_keys_and_waits_behind_a_closed_gate_as_a_call_does(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("slack", "post message", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.tell_team(order)
        await time_passes(team_effect(order), SETTLED_SECONDS)
        await shop.sandbox.revoke("slack", SLACK_KEY)
        for _ in range(3):
            with pytest.raises(Misconfigured):
                await shop.tell_team(order)
        asked = len(await shop.sandbox.requests("slack"))
        with pytest.raises(Parked, match="slack is closed: misconfigured"):
            await shop.tell_team(order)
        assert len(await shop.sandbox.requests("slack")) == asked

        await shop.sandbox.restore("slack", SLACK_KEY)
        await the_gate_opens("slack")
        await shop.tell_team(order)
    assert await outcomes_of(team_effect(order), "look") == ["misconfigured"] * 3 + ["found"]
    assert await shop.sandbox.count("slack", "message") == 1
