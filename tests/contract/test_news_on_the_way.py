"""What providers tell while somebody is at work on the order: it is one fact, nothing is done over, and nobody waits for another."""

from __future__ import annotations

import asyncio

import pytest_asyncio

from hub.beginning import begin
from hub.begun import Ask
from hub.database import transaction
from hub.decisions import announce
from hub.due import due_subjects
from hub.facets import Status
from hub.handling import handle_some
from hub.inbox import keep
from hub.stock import reserve
from hub.subject_rows import locked
from tests.contract.ledger_kit import (
    Shop,
    changed,
    effect_of,
    facts_of,
    lease_ends,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
    until,
)
from tests.contract.notice_kit import carrier_told, handled, mail_told, notice_of, payment_told, warehouse_told


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return shop


async def test_a_webhook_that_comes_before_the_answer_settles_the_payment_and_the_answer_is_nothing_new(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        charged = await shop.charge(effect, ask.provider_key)
        await handled(payment_told("succeeded", order, charged.payment_id, latest_charge=charged.charge_id))
        assert (await effect_of(effect)).state == "done"
        assert (await shop.pay(order)).payment_id == charged.payment_id

    assert await shop.sandbox.count("stripe", "charge") == 1
    assert [fact.kind for fact in await facts_of(order.id)].count("payment settled") == 1


async def test_the_same_news_told_twice_and_by_two_who_handle_at_once_is_one_fact(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
    notices = [payment_told("succeeded", order, payment.payment_id) for _ in range(40)]
    await keep(notices)

    async def all_handled() -> bool:
        await asyncio.gather(*(handle_some(10) for _ in range(4)))
        return {(await notice_of(notice)).state for notice in notices} == {"handled"}

    await until(all_handled)
    assert [fact.kind for fact in await facts_of(order.id)].count("payment settled") == 1


async def test_what_a_run_was_told_on_the_way_and_saw_to_itself_leaves_nothing_over(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        charged = await shop.charge(effect, ask.provider_key)
        await handled(payment_told("succeeded", order, charged.payment_id, latest_charge=charged.charge_id))
        await shop.label(order, (await shop.quote(order)).rates[0].rate_id)
        await announce(order, ())

    row = await row_of(order.id)
    assert (row.status, row.resume_at) == (Status.CONFIRMED, None)


async def test_what_a_run_was_told_on_the_way_and_does_not_see_to_is_due_when_it_ends(shop: Shop) -> None:
    customer = {"email": "ada@example.com", "name": "Ada", "phone": "+12025550123"}
    orders = [await placed(customer=customer), await placed()]
    async with run(orders[0]) as bounced, run(orders[1]) as delivered:
        await shop.until_labelled(bounced)
        mail = await shop.mail(bounced)
        await handled(mail_told("bounce", bounced, mail.message_id, type="bounce", status="5.1.1"))
        label = await shop.until_labelled(delivered)
        await handled(carrier_told("DELIVERED", label.tracking_number))
        for order in (bounced, delivered):
            await announce(order, ())

    for order_id in orders:
        assert (await row_of(order_id)).resume_at is not None
    assert {due.id for due in await due_subjects()} >= set(orders)


async def test_whoever_stands_still_with_one_order_holds_up_no_news_of_another(shop: Shop) -> None:
    held, free = await placed(), await placed()
    async with transaction() as session:
        await locked(session, held)
        assert (await asyncio.wait_for(handled(warehouse_told("packed", held), warehouse_told("packed", free)), 5)).by_state == {
            "handled": 1
        }
    assert (await row_of(free)).parcel == "packed"

    await sql("UPDATE notices SET next_at = clock_timestamp() WHERE next_at IS NOT NULL")
    assert (await handled()).by_state == {"handled": 1}
    assert (await row_of(held)).parcel == "packed"


async def test_a_run_that_died_between_charge_and_settle_is_helped_by_the_webhook(shop: Shop) -> None:
    async with changed(lease_seconds="5"), run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        charged = await shop.charge(effect, ask.provider_key)
        await lease_ends(order)

        result = await handled(payment_told("succeeded", order, charged.payment_id))

        assert result.due == {("order", order.id)}
    async with run(order.id) as again:
        assert (await shop.pay(again)).payment_id == charged.payment_id
    assert await shop.sandbox.count("stripe", "charge") == 1
