"""Begin: what the ledger does about an effect, whatever state it finds it in."""

from __future__ import annotations

import asyncio

import pytest

from hub.beginning import begin
from hub.begun import Ask, Look, Wait
from hub.decisions import begin_undo
from hub.effects import LeaseLost
from hub.errors import OutcomeUnknown, Refused
from hub.facets import Status
from hub.payments import PaymentStatus
from hub.stock import reserve
from tests.contract.ledger_kit import (
    LATE_SECONDS,
    SETTLED_SECONDS,
    TIMEOUT_SECONDS,
    Shop,
    attempts_of,
    dies,
    effect_of,
    label_effect,
    lease_ends,
    outcomes_of,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
    time_passes,
)


async def test_the_intent_is_committed_before_the_provider_is_asked(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "delay", seconds=0.3)
        paying = asyncio.create_task(shop.pay(order))
        await shop.sandbox.until_in_flight("stripe", "create payment", worked=False)

        [attempt] = await attempts_of(payment_effect(order))
        effect = await effect_of(payment_effect(order))
        assert (effect.state, attempt.outcome, attempt.fence, attempt.run_id) == ("intended", None, order.fence, order.run_id)
        assert attempt.send_by is not None
        assert attempt.settles_at is not None
        assert (attempt.settles_at - attempt.send_by).total_seconds() == pytest.approx(TIMEOUT_SECONDS + LATE_SECONDS)
        payment = await paying

    effect = await effect_of(payment_effect(order))
    assert (effect.state, effect.reference) == ("done", payment.payment_id)
    assert await outcomes_of(payment_effect(order)) == ["done"]
    [request] = await shop.sandbox.requests("stripe", "create payment")
    assert request["key"] == f"{order.hub_id}:order:{order.id}:payment:1"


async def test_what_was_intended_and_never_tried_is_done_as_it_was_intended(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        refund = await begin_undo(order, "a change of mind")

        assert (await effect_of(refund)).state == "intended"
        assert (await shop.refund(refund)).amount == 10000
        assert (await effect_of(refund)).state == "done"


async def test_what_was_done_is_not_asked_again(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        assert await shop.pay(order) == payment
    async with run(order.id) as again:
        assert await shop.pay(again) == payment

    assert len(await shop.sandbox.requests("stripe", "create payment")) == 1


async def test_what_was_refused_is_refused_again_without_asking(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        for _ in range(2):
            with pytest.raises(Refused) as refusal:
                await shop.until_paid(order)
            assert refusal.value.code == "generic_decline"
            assert refusal.value.reference is not None

    assert len(await shop.sandbox.requests("stripe", "create payment")) == 1
    assert (await row_of(order.id)).status == Status.PAYMENT_FAILED


async def test_what_is_pending_gives_what_is_known_so_far(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        for _ in range(2):
            payment = await shop.until_paid(order)
            assert payment.status is PaymentStatus.NEEDS_CUSTOMER
            assert payment.next_action is not None

    assert len(await shop.sandbox.requests("stripe", "create payment")) == 1
    assert (await row_of(order.id)).status == Status.AWAITING_PAYMENT


async def test_a_pending_refund_is_looked_at_until_the_money_is_back(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_pendingRefund") as order:
        await shop.until_paid(order)
        refund = await begin_undo(order, "a change of mind")
        first = await shop.refund(refund)
        assert (first.status, (await effect_of(refund)).state) == ("pending", "pending")
        deadline = asyncio.get_running_loop().time() + 10
        while (now := await shop.refund(refund)).status == "pending":
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)

    assert now.refund_id == first.refund_id
    assert (await effect_of(refund)).state == "done"
    assert (await row_of(order.id)).refunded == 10000
    assert len(await shop.sandbox.requests("stripe", "refund payment")) == 1


async def test_a_pending_refund_that_a_look_does_not_show_is_still_pending(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_pendingRefund") as order:
        await shop.until_paid(order)
        refund = await begin_undo(order, "a change of mind")
        first = await shop.refund(refund)
        for _ in range(3):
            empty = {"object": "list", "data": [], "has_more": False, "url": "/v1/refunds"}
            await shop.sandbox.fault("stripe", "list refunds", "garbage", body=empty)
            assert await shop.refund(refund) == first

    assert (await effect_of(refund)).state == "pending"
    assert len(await shop.sandbox.requests("stripe", "refund payment")) == 1


async def test_a_refund_that_fails_is_a_refusal_the_first_time_and_later(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        refund = await begin_undo(order, "a change of mind")
        failed = {
            "id": "re_1", "object": "refund", "amount": 10000, "currency": "usd", "status": "failed", "payment_intent": payment.payment_id,
        }  # fmt: skip
        await shop.sandbox.fault("stripe", "refund payment", "garbage", body=failed)
        for _ in range(2):
            with pytest.raises(Refused) as refusal:
                await shop.refund(refund)
            assert (refusal.value.code, refusal.value.reference) == ("refund_failed", "re_1")


async def test_what_was_undone_is_not_done_again(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        await sql("UPDATE effects SET state = 'undone' WHERE key = :key", key=payment_effect(order).key)
        with pytest.raises(LeaseLost, match="was undone"):
            await shop.pay(order)


async def test_the_stored_request_is_sent_whatever_a_later_run_would_send(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "drop")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)
        payment = await shop.pay(order, amount=1, description="from a later deploy")

    assert payment.amount == 10000
    [charge] = await shop.sandbox.effects("stripe", "charge")
    assert charge["amount"] == 10000


async def test_a_call_without_an_answer_is_repeated_at_once_under_its_key(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    asked = await begin(payment_effect(order), shop.stripe.terms)
    assert isinstance(asked, Ask)
    await shop.charge(payment_effect(order), asked.provider_key)  # and the process dies
    await lease_ends(order)

    async with run(order.id) as heir:
        payment = await shop.pay(heir)

    assert await outcomes_of(payment_effect(order)) == [None, "done"]
    assert await shop.sandbox.count("stripe", "charge") == 1
    assert payment.status is PaymentStatus.SUCCEEDED


async def test_a_call_without_an_answer_and_without_a_key_is_waited_for_and_then_looked_for(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        effect = label_effect(order, await shop.until_quoted(order))
        assert isinstance(await begin(effect, shop.shippo.terms), Ask)

        waiting = await begin(effect, shop.shippo.terms)
        assert isinstance(waiting, Wait)
        assert 0 < waiting.seconds <= SETTLED_SECONDS

        await time_passes(effect, SETTLED_SECONDS)
        looking = await begin(effect, shop.shippo.terms)
        assert isinstance(looking, Look)
        assert looking.provider_key == f"{order.hub_id}:{effect.key}"
        assert len(await attempts_of(effect)) == 1


async def test_a_quote_costs_nothing_and_is_simply_asked_for_again(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        await shop.sandbox.fault("shippo", "create shipment", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.quote(order)
        assert (await shop.quote(order)).rates
