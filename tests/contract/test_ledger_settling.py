"""Settle: what has happened is recorded from anybody, once, and whatever was remembered of it is stale when somebody else says so."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from hub.beginning import begin
from hub.begun import Ask
from hub.claims import take
from hub.database import transaction
from hub.effects import Effect
from hub.errors import OutcomeUnknown, Refused
from hub.exchange import Exchange
from hub.facets import Status
from hub.orders import Order
from hub.settling import refused, settle
from hub.stock import reserve
from hub.subject_rows import locked
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    attempts_of,
    dies,
    effect_of,
    facts_of,
    lease_ends,
    mail_effect,
    outcomes_of,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    runs_of,
    team_effect,
    time_passes,
    until,
)


async def asked(effect: Effect, shop: Shop) -> Ask:
    ask = await begin(effect, shop.stripe.terms)
    assert isinstance(ask, Ask)
    return ask


async def overtaken(order: Order) -> None:
    """Another run takes the order over and rests."""
    await lease_ends(order)
    lease = await take(order.id, "the heir")
    assert lease is not None
    await lease.let_go("rested", resume_in_seconds=None)


async def test_a_payment_that_a_run_hears_of_after_it_lost_the_order_is_recorded(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    effect = payment_effect(order)
    ask = await asked(effect, shop)
    payment = await shop.charge(effect, ask.provider_key)
    await overtaken(order)
    before = await row_of(order.id)
    assert before.resume_at is None

    await settle(effect, ask.attempt_id, Exchange(), payment)

    after = await row_of(order.id)
    assert (after.status, after.charge_id) == (Status.PAID, payment.charge_id)
    assert (await effect_of(effect)).state == "done"
    assert after.epoch == before.epoch + 1
    assert after.resume_at is not None
    assert (await facts_of(order.id))[-1].source == "late run"


async def test_a_refusal_that_a_run_hears_of_after_it_lost_the_order_is_recorded(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    effect = payment_effect(order)
    ask = await asked(effect, shop)
    await overtaken(order)
    before = await row_of(order.id)

    await refused(effect, ask.attempt_id, Exchange(), Refused("stripe", "take the payment", "no", "generic_decline", "pi_1"))

    after = await row_of(order.id)
    assert (after.status, after.epoch) == (Status.PAYMENT_FAILED, before.epoch + 1)
    assert after.resume_at is not None
    assert (await effect_of(effect)).code == "generic_decline"


async def test_a_message_that_a_run_hears_of_after_it_lost_the_order_makes_what_was_remembered_stale(shop: Shop) -> None:
    order = await dies(await placed())
    await shop.until_labelled(order)
    effect = team_effect(order)
    ask = await begin(effect, shop.slack.terms)
    assert isinstance(ask, Ask)
    message = await shop.post(effect, ask.provider_key)
    await overtaken(order)
    epoch = (await row_of(order.id)).epoch

    await settle(effect, ask.attempt_id, Exchange(), message)

    assert (await effect_of(effect)).state == "done"
    assert (await row_of(order.id)).epoch == epoch + 1


async def test_the_same_reference_again_is_nothing(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        before, facts = await row_of(order.id), len(await facts_of(order.id))
        [attempt] = await attempts_of(payment_effect(order))
        await settle(payment_effect(order), attempt.id, Exchange(), payment)

        after = await row_of(order.id)
        assert (after.epoch, after.attention, len(await facts_of(order.id))) == (before.epoch, None, facts)


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_threeDSecure2Required"], ids=["done", "pending"])
async def test_another_reference_for_the_same_effect_needs_a_person(shop: Shop, card: str) -> None:
    async with run_of_a_new_order(paymentMethod=card) as order:
        payment = await shop.until_paid(order)
        [attempt] = await attempts_of(payment_effect(order))
        await settle(payment_effect(order), attempt.id, Exchange(), payment.model_copy(update={"payment_id": "pi_another"}))

    row = await row_of(order.id)
    assert row.status == Status.NEEDS_ATTENTION
    assert row.attention == f"stripe did 'take the payment' twice: {payment.payment_id} and pi_another"
    assert (await effect_of(payment_effect(order))).reference == payment.payment_id


async def test_money_that_arrives_after_a_refusal_is_money(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    effect = payment_effect(order)
    first, second = await asked(effect, shop), await asked(effect, shop)
    payment = await shop.charge(effect, first.provider_key)
    await refused(effect, second.attempt_id, Exchange(), Refused("stripe", "take the payment", "no", "generic_decline"))
    await settle(effect, first.attempt_id, Exchange(), payment)

    assert (await row_of(order.id)).status == Status.PAID
    assert (await effect_of(effect)).state == "done"


async def test_a_cancelled_run_notes_that_nobody_knows_and_lets_go(shop: Shop) -> None:
    order_id = await placed()

    async def works() -> None:
        async with run(order_id, "the cancelled") as order:
            await reserve(order)
            await shop.pay(order)

    await shop.sandbox.fault("stripe", "create payment", "hang", when="after")
    working = asyncio.create_task(works())
    await shop.sandbox.until_in_flight("stripe", "create payment", worked=True)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await shop.sandbox.clear_faults()

    row = await row_of(order_id)
    assert (row.lease_owner, row.lease_until) == (None, None)
    assert row.resume_at is not None
    [ended] = await runs_of(order_id)
    assert ended.ended_as == "failed: CancelledError"
    async with run(order_id) as order:
        assert await outcomes_of(payment_effect(order)) == ["unknown"]
        assert (await effect_of(payment_effect(order))).state == "unknown"
        await shop.pay(order)
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_a_mail_cancelled_on_its_way_is_never_sent_twice(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("sendgrid", "send mail", "hang", when="after")
        mailing = asyncio.create_task(shop.mail(order))
        await shop.sandbox.until_in_flight("sendgrid", "send mail", worked=True)
        mailing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mailing
        await shop.sandbox.clear_faults()
        assert await outcomes_of(mail_effect(order)) == ["unknown"]
        await time_passes(mail_effect(order), SETTLED_SECONDS)
        with pytest.raises(OutcomeUnknown):
            await shop.mail(order)
    assert len(await shop.sandbox.requests("sendgrid", "send mail")) == 1


async def test_a_cancellation_while_the_outcome_is_committed_loses_nothing(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "delay", when="after", seconds=0.2)
        paying = asyncio.create_task(shop.pay(order))
        await shop.sandbox.until_in_flight("stripe", "create payment", worked=True)
        async with transaction() as session:
            await locked(session, order.id)
            await until(_somebody_waits_for_a_lock)
            paying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await paying

        assert (await effect_of(payment_effect(order))).state == "done"


async def _somebody_waits_for_a_lock() -> bool:
    async with transaction() as session:
        return bool((await session.exec(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar_one())  # type: ignore[call-overload]  # SQLModel's exec takes text, its types do not say so
