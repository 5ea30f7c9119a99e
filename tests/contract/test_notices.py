"""What providers call back about is understood once, settles the ledger like an answer, and makes due what it makes necessary."""

from __future__ import annotations

from uuid import uuid4

import pytest
import pytest_asyncio

from hub.beginning import begin
from hub.begun import Ask
from hub.decisions import announce
from hub.effects import LeaseLost
from hub.errors import Refused
from hub.facets import Status
from hub.intake import place, raise_attempt
from hub.notice_views import NothingToReplay, replay_notice
from hub.owed import owed_effects
from hub.stock import release, reserve
from tests.contract.ledger_kit import (
    Shop,
    an_order,
    effect_of,
    mail_effect,
    payment_effect,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
)
from tests.contract.notice_kit import handled, mail_told, notice_of, payment_told, told, warehouse_told


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return shop


async def test_a_payment_that_waited_for_the_customer_is_settled_by_the_webhook_and_the_order_is_due(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
    assert (await row_of(order.id)).status == Status.AWAITING_PAYMENT

    result = await handled(payment_told("succeeded", order, payment.payment_id))

    row = await row_of(order.id)
    assert (row.status, row.charge_id, row.next_action) == (Status.PAID, f"ch_{payment.payment_id}", None)
    assert result.due == {("order", order.id)}
    async with run(order.id) as again:
        assert (await shop.pay(again)).charge_id == f"ch_{payment.payment_id}"
    assert len(await shop.sandbox.requests("stripe", "create payment")) == 1


async def test_an_amount_that_differs_from_the_ledger_is_quarantined_and_a_person_is_called(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
    wrong = payment_told("succeeded", order, payment.payment_id, amount_received=1)

    result = await handled(wrong)

    assert result.by_state == {"quarantined": 1}
    row = await row_of(order.id)
    assert (row.status, row.payment) == (Status.NEEDS_ATTENTION, "awaits_customer")
    assert row.resume_at is not None
    assert "1 usd" in (row.attention or "")


async def test_news_for_an_order_that_is_not_here_yet_waits_for_it(shop: Shop) -> None:
    order_id = f"o-{uuid4().hex[:10]}"
    packed = warehouse_told("packed", order_id)
    assert (await handled(packed)).by_state == {"early": 1}

    await place(order_id, an_order())

    assert (await handled()).by_state == {"handled": 1}
    assert (await row_of(order_id)).parcel == "packed"


async def test_a_dispute_that_comes_before_we_know_the_payment_waits_for_it(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        charged = await shop.charge(effect, ask.provider_key)
        dispute = {
            "object": "dispute",
            "id": "dp_1",
            "charge": "ch_1",
            "payment_intent": charged.payment_id,
            "amount": order.money.amount,
            "currency": "usd",
            "reason": "fraudulent",
            "status": "needs_response",
        }
        early = told("stripe", "charge.dispute.created", {"data": {"object": dispute}})
        assert (await handled(early)).by_state == {"early": 1}
        await shop.pay(order)

    assert (await handled()).by_state == {"handled": 1}
    row = await row_of(order.id)
    assert (row.status, row.dispute) == (Status.DISPUTED, "open")
    assert "fraudulent" in (row.attention or "")


async def test_what_never_comes_is_given_up_after_a_day(shop: Shop) -> None:
    unknown = warehouse_told("packed", "o-never")
    foreign = told("stripe", "charge.dispute.created", {"data": {"object": a_dispute_of("pi_foreign")}})
    await handled(unknown, foreign)
    await sql("UPDATE notices SET received_at = received_at - interval '25 hours', next_at = clock_timestamp()")

    await handled()

    assert ((await notice_of(unknown)).state, (await notice_of(foreign)).state) == ("failed", "not_for_us")


def a_dispute_of(payment_id: str) -> dict[str, object]:
    return {
        "object": "dispute",
        "id": "dp_9",
        "charge": "ch_9",
        "payment_intent": payment_id,
        "amount": 5,
        "currency": "usd",
        "reason": "general",
        "status": "needs_response",
    }


async def test_another_hubs_payment_on_the_same_account_is_not_for_us(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
    foreign = payment_told("succeeded", order, "pi_foreign", hub_id=uuid4())

    assert (await handled(foreign)).by_state == {"not_for_us": 1}
    assert (await row_of(order.id)).payment == "none"


async def test_an_event_that_nobody_reads_is_kept_and_counted_and_one_that_nobody_understands_has_failed(shop: Shop) -> None:
    unread = told("stripe", "invoice.paid", {"data": {"object": {}}})
    broken = told("stripe", "payment_intent.succeeded", {"data": {"object": {"object": "payment_intent"}}})

    result = await handled(unread, broken)

    assert result.by_state == {"not_for_us": 1, "failed": 1}
    assert "data.object" in ((await notice_of(broken)).outcome or "")


async def test_late_money_for_an_earlier_attempt_goes_back_and_the_new_attempt_stays_as_it_is(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
    await handled(payment_told("canceled", order, payment.payment_id))
    await raise_attempt(order.id, 2, "pm_card_visa")

    await handled(payment_told("succeeded", order, payment.payment_id, attempt=1))

    row = await row_of(order.id)
    assert (row.attempt, row.payment) == (2, "none")
    async with run(order.id) as second:
        assert [(owed.step, owed.attempt) for owed in await owed_effects(second)] == [("late-refund.1", 1), ("late-money.1", 2)]


async def test_money_that_comes_after_the_goods_went_back_undoes_the_order(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
        await handled(payment_told("payment_failed", order, payment.payment_id))
        await release(order)
    assert (await row_of(order.id)).status == Status.PAYMENT_FAILED

    await handled(payment_told("succeeded", order, payment.payment_id))

    row = await row_of(order.id)
    assert (row.status, row.hold) == (Status.REFUNDING, "undoing")
    assert row.resume_at is not None


async def test_a_mail_of_which_nobody_knew_is_done_once_sendgrid_tells_that_it_has_it(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        effect = mail_effect(order)
        assert isinstance(await begin(effect, shop.sendgrid.terms), Ask)
        await sql("UPDATE effects SET state = 'unknown' WHERE key = :key", key=effect.key)
        await handled(mail_told("processed", order, "m-1"), mail_told("delivered", order, "m-1"))

        assert (await shop.mail(order)).message_id == "m-1"
    row = await effect_of(effect)
    assert (row.state, row.delivery) == ("done", "delivered")


async def test_a_mail_that_bounced_after_it_seemed_delivered_is_followed_by_a_text(shop: Shop) -> None:
    customer = {"email": "ada@example.com", "name": "Ada", "phone": "+12025550123"}
    async with run_of_a_new_order(customer=customer) as order:
        await shop.until_labelled(order)
        mail = await shop.mail(order)

    await handled(
        mail_told("delivered", order, mail.message_id), mail_told("bounce", order, mail.message_id, type="bounce", status="5.1.1")
    )

    assert (await effect_of(mail_effect(order))).delivery == "failed"
    async with run(order.id) as again:
        [owed] = await owed_effects(again)
        assert owed.step == "text.mail"


async def test_a_mail_that_sendgrid_refuses_to_take_is_followed_by_a_text(shop: Shop) -> None:
    customer = {"email": "ada@example.com", "name": "Ada", "phone": "+12025550123"}
    async with run_of_a_new_order(customer=customer) as order:
        await shop.until_labelled(order)
        refusal = {"errors": [{"message": "Does not contain a valid address.", "field": "personalizations.0.to.0.email", "help": None}]}
        await shop.sandbox.fault("sendgrid", "send mail", "status", status=400, body=refusal)
        with pytest.raises(Refused):
            await shop.mail(order)

    row = await row_of(order.id)
    assert row.resume_at is not None
    async with run(order.id) as again:
        assert [owed.step for owed in await owed_effects(again)] == ["text.mail"]


async def test_a_parcel_that_the_carrier_has_makes_the_order_due_once_because_the_customer_is_told(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await announce(order, ())

    packed = await handled(warehouse_told("packed", order.id))
    picked_up = await handled(warehouse_told("picked_up", order.id))
    async with run(order.id):
        pass
    again = await handled(warehouse_told("picked_up", order.id))

    assert (packed.due, picked_up.due, again.due) == (set(), {("order", order.id)}, set())


async def test_of_a_parcel_that_has_arrived_nobody_says_that_it_is_on_its_way(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await announce(order, ())
    await handled(warehouse_told("delivered", order.id), warehouse_told("picked_up", order.id))

    async with run(order.id) as late:
        with pytest.raises(LeaseLost, match="does not permit the step shipped-mail"):
            await begin(late.effect("shipped-mail", mail_effect(late).request), shop.sendgrid.terms)


async def test_a_delivered_mail_starts_no_run(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        mail = await shop.mail(order)
    before = await row_of(order.id)

    result = await handled(mail_told("delivered", order, mail.message_id))

    assert not result.due
    assert (await row_of(order.id)).resume_at == before.resume_at


async def test_a_notice_that_cannot_be_handled_harms_no_other_and_is_given_up_after_ten_tries(shop: Shop) -> None:
    good, bad = await placed(), await placed()
    await sql("UPDATE orders SET payment = 'nonsense' WHERE id = :id", id=bad)
    fine, poison = warehouse_told("packed", good), warehouse_told("packed", bad)

    result = await handled(fine, poison)

    assert result.by_state == {"handled": 1, "kept": 1}
    for _ in range(9):
        await sql("UPDATE notices SET next_at = clock_timestamp() WHERE next_at IS NOT NULL")
        await handled()
    row = await notice_of(poison)
    assert (row.state, row.tries, row.next_at) == ("failed", 10, None)

    await sql("UPDATE orders SET payment = 'none' WHERE id = :id", id=bad)
    await replay_notice(row.id)
    assert (await handled()).by_state == {"handled": 1}
    with pytest.raises(NothingToReplay, match="it is handled"):
        await replay_notice(row.id)
