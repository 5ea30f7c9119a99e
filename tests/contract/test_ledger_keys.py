"""A provider that keeps keys is asked again under the key, until the key is of no use; then it is looked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.beginning import begin
from hub.begun import Ask
from hub.effects import Parked
from hub.errors import NotSent, OutcomeUnknown, Refused
from hub.facets import Status
from hub.gate_views import resume
from hub.stock import reserve
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    attempts_of,
    changed,
    dies,
    effect_of,
    lease_ends,
    outcomes_of,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    time_passes,
)

NO_PAYMENTS = {"object": "list", "data": [], "has_more": False, "url": "/v1/payment_intents"}


async def test_a_look_that_was_sent_too_early_decides_nothing_however_late_its_answer_comes(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        await shop.sandbox.fault("stripe", "create payment", "idempotency_error")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)
        await shop.sandbox.fault("stripe", "list payments", "delay", seconds=0.8)
        await time_passes(effect, SETTLED_SECONDS - 0.5)  # half a second before the call has surely ended
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)

        [call] = await attempts_of(effect)
        looks = await attempts_of(effect, "look")
        assert call.settles_at is not None
        assert looks[0].started_at < call.settles_at
        assert len([look for look in looks if look.started_at >= call.settles_at]) == 2
        assert call.outcome == "unknown"


async def test_an_idempotency_mismatch_is_resolved_by_looking_and_never_a_refusal(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        key = f"{order.hub_id}:{payment_effect(order).key}"
        paid = await shop.charge(payment_effect(order), key)
        await shop.sandbox.fault("stripe", "create payment", "idempotency_error")
        with pytest.raises(OutcomeUnknown, match="other parameters"):
            await shop.pay(order)

        assert await shop.pay(order) == paid
    assert len(await shop.sandbox.requests("stripe", "create payment")) == 2


async def test_a_key_in_use_is_asked_again_under_the_same_key(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "conflict")
        with pytest.raises(OutcomeUnknown, match="under way"):
            await shop.pay(order)
        await shop.pay(order)

    assert await outcomes_of(payment_effect(order)) == ["unknown", "done"]
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_a_stored_500_that_comes_again_under_its_key_is_found_by_looking(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=500, when="after")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await shop.pay(order)
        assert (await effect_of(payment_effect(order))).same_key_is_useless
        payment = await shop.pay(order)

    assert payment.status == "succeeded"
    assert await shop.sandbox.count("stripe", "charge") == 1
    assert len(await shop.sandbox.requests("stripe", "create payment")) == 2


async def test_a_stored_500_behind_which_there_is_nothing_ends_with_a_person_and_without_a_second_charge(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=500, when="after")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await shop.pay(order)
        await shop.sandbox.fault("stripe", "list payments", "garbage", body=NO_PAYMENTS, times=None)
        await time_passes(payment_effect(order), SETTLED_SECONDS)
        for _ in range(3):
            with pytest.raises(OutcomeUnknown, match="absent so far"):
                await shop.pay(order)
        assert len(await shop.sandbox.requests("stripe", "create payment")) == 2
        assert len(await attempts_of(payment_effect(order), "look")) <= 5
        await time_passes(payment_effect(order), 86_401)
        with pytest.raises(Exception, match="nobody knows whether stripe did"):
            await shop.pay(order)

    assert (await row_of(order.id)).status == Status.NEEDS_ATTENTION


async def test_a_declined_payment_that_a_look_finds_is_a_refusal(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=500, when="after")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await shop.pay(order)
        with pytest.raises(Refused) as refusal:
            await shop.pay(order)
        assert refusal.value.reference is not None

    assert (await row_of(order.id)).status == Status.PAYMENT_FAILED


@pytest.mark.parametrize("charged", [True, False], ids=["the charge exists", "there is no charge"])
async def test_a_key_older_than_23_hours_is_not_used_before_it_was_looked(shop: Shop, charged: bool) -> None:
    order = await dies(await placed())
    await reserve(order)
    effect = payment_effect(order)
    asked = await begin(effect, shop.stripe.terms)
    assert isinstance(asked, Ask)
    if charged:
        await shop.charge(effect, asked.provider_key)
    await time_passes(effect, 23 * 3600 + 1)
    await lease_ends(order)
    async with run(order.id) as heir:
        await shop.pay(heir)

    assert await shop.sandbox.count("stripe", "charge") == 1
    assert await outcomes_of(effect, "look") == (["found"] if charged else ["absent", "absent"])
    assert await outcomes_of(effect) == (["found"] if charged else ["absent", "done"])
    assert [request["operation"] for request in await shop.sandbox.requests("stripe")] == (
        ["create payment", "list payments"] if charged else ["list payments", "list payments", "create payment"]
    )


async def test_twenty_lost_answers_at_once_are_twenty_charges(shop: Shop) -> None:
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after", times=20)

    async def pays() -> None:
        async with run_of_a_new_order() as order:
            await reserve(order)
            while True:
                try:
                    await shop.pay(order)
                except (NotSent, OutcomeUnknown, Parked):
                    await resume("stripe")  # so many failures close the gate
                    continue
                return

    async with changed(send_window_seconds="5"):
        await asyncio.gather(*(pays() for _ in range(20)))

    charges: list[dict[str, Any]] = await shop.sandbox.effects("stripe", "charge")
    assert len({charge["subject"] for charge in charges}) == len(charges) == 20
