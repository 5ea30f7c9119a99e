"""The answer of a call may come after the webhooks that tell what became of it since, or never: then the webhooks are what counts."""

from __future__ import annotations

import pytest_asyncio

from hub.beginning import begin
from hub.begun import Ask
from hub.exchange import Exchange
from hub.facets import Status
from hub.settling import settle
from hub.stock import reserve
from tests.contract.ledger_kit import Shop, effect_of, mail_effect, payment_effect, row_of, run_of_a_new_order, sql
from tests.contract.notice_kit import handled, mail_told, payment_told


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return shop


async def test_a_payment_that_has_failed_does_not_wait_again_because_the_answer_to_its_call_comes_late(shop: Shop) -> None:
    """Otherwise it would wait for a customer who has been there, and the reason would be lost."""
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        waits = await shop.charge(effect, ask.provider_key)
        problem = {"code": "payment_intent_authentication_failure"}
        await handled(payment_told("payment_failed", order, waits.payment_id, last_payment_error=problem))

        await settle(effect, ask.attempt_id, Exchange(), waits)

    row = await effect_of(effect)
    assert (row.state, row.code) == ("refused", problem["code"])
    assert (await row_of(order.id)).status == Status.PAYMENT_FAILED


async def test_an_order_that_waits_a_day_to_know_of_its_mail_goes_on_as_soon_as_sendgrid_tells(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        effect = mail_effect(order)
        assert isinstance(await begin(effect, shop.sendgrid.terms), Ask)
        await sql("UPDATE effects SET state = 'unknown', resume_at = clock_timestamp() + interval '1 day' WHERE key = :key", key=effect.key)
    waits = await row_of(order.id)
    assert waits.resume_at == (await effect_of(effect)).resume_at

    result = await handled(mail_told("processed", order, "m-1"))

    assert result.due == {("order", order.id)}
    row = await row_of(order.id)
    assert row.resume_at is not None
    assert waits.resume_at is not None
    assert (waits.resume_at - row.resume_at).total_seconds() > 80_000
