"""The answer of a call may come after the webhooks that tell what became of it since, or never: then the webhooks are what counts."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from deployments.embedded_database import EmbeddedDatabase
from hub.beginning import begin
from hub.begun import Ask
from hub.effects import Effect, LeaseLost
from hub.errors import LeftTooLate
from hub.exchange import Exchange
from hub.facets import Status
from hub.payments import PaymentStatus
from hub.settling import not_done, settle
from hub.stock import reserve
from tests.contract.ledger_kit import Shop, changed, effect_of, mail_effect, payment_effect, row_of, run_of_a_new_order, sql, time_passes
from tests.contract.notice_kit import handled, mail_told, payment_told
from tests.contract.process_kit import accounts_of, rests, snapshot_of
from tests.journeys.hub_under_test import until


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


async def lost_mail(shop: Shop) -> tuple[Effect, Ask]:
    """A mail whose process stands still before the first byte for so long that a person was asked what came of it."""
    async with changed(unknown_seconds="60"), run_of_a_new_order() as order:
        await shop.until_labelled(order)
        ask = await begin(mail_effect(order), shop.sendgrid.terms)
        assert isinstance(ask, Ask)
        await time_passes(mail_effect(order), 61)
        with pytest.raises(LeaseLost):
            await begin(mail_effect(order), shop.sendgrid.terms)
    assert (await row_of(order.id)).status == Status.NEEDS_ATTENTION
    return mail_effect(order), ask


async def test_nobody_has_to_look_for_a_mail_any_more_when_its_process_wakes_up_and_says_that_it_was_not_sent(shop: Shop) -> None:
    effect, ask = await lost_mail(shop)

    too_late = LeftTooLate("sendgrid", "mail the customer", "the moment up to which it might be sent was over")
    await not_done(effect, ask.attempt_id, Exchange(), "not_sent", too_late)

    with accounts_of(shop):
        row = await rests(effect.subject_id)
    assert (row.status, row.attention) == (Status.CONFIRMED, None)
    assert await shop.sandbox.count("sendgrid", "mail", effect.subject_id) == 1


async def test_nobody_has_to_look_for_a_mail_any_more_when_sendgrid_tells_of_it(shop: Shop) -> None:
    effect, _ = await lost_mail(shop)

    await handled(mail_told("processed", await snapshot_of(effect.subject_id), "m-1"))

    with accounts_of(shop):
        row = await rests(effect.subject_id)
    assert (row.status, row.attention) == (Status.CONFIRMED, None)
    assert await shop.sandbox.count("sendgrid", "mail", effect.subject_id) == 0


async def test_what_was_answered_while_the_database_went_away_is_committed_when_it_is_back_and_not_asked_again(
    shop: Shop, postgres: EmbeddedDatabase, hub_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database=make_url(hub_database).database)
    cut_off = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND wait_event_type = 'Lock'
    """

    async def tried_in_vain() -> bool:
        await database.execute(cut_off)
        return "what has happened is committed when it is back" in caplog.text

    async with run_of_a_new_order() as order:
        await reserve(order)
        hangs = await shop.sandbox.fault("stripe", "create payment", "hang", when="after")
        paying = asyncio.create_task(shop.pay(order))
        await shop.sandbox.until_in_flight("stripe", "create payment", worked=True)
        async with database.transaction():
            await database.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order.id)  # the commit waits here when it is cut off
            await shop.sandbox.release(hangs)
            await until(tried_in_vain, seconds=20, what=lambda: "a commit that is cut off")
        assert (await paying).status is PaymentStatus.SUCCEEDED
    await database.close()

    assert (await effect_of(payment_effect(order))).state == "done"
    assert len(await shop.sandbox.requests("stripe", "create payment")) == 1
