"""What nobody knows a person finds out and says; the ledger takes their word, and remembers whose it was."""

from __future__ import annotations

import pytest

from hub.beginning import begin
from hub.begun import Ask
from hub.decisions import begin_undo, finish_undo
from hub.effects import LeaseLost, Parked
from hub.errors import OutcomeUnknown, Refused
from hub.facets import PaymentFacet, Status
from hub.resolving import NothingToResolve, resolve
from hub.stock import reserve
from hub.story import story_of
from tests.contract.ledger_kit import (
    Shop,
    effect_of,
    ends_with,
    mail_effect,
    payment_effect,
    row_of,
    run,
    run_of_a_new_order,
    time_passes,
)

DAY = 86_400.0
REFUSAL = {"error": {"type": "card_error", "code": "charge_disputed", "message": "The charge is disputed."}}


async def mail_of_which_nobody_knows(shop: Shop) -> str:
    """An order whose mail was under way when its run died, a day ago; returns its id."""
    with ends_with(LeaseLost):
        async with run_of_a_new_order() as order:
            await shop.until_labelled(order)
            assert isinstance(await begin(mail_effect(order), shop.sendgrid.terms), Ask)
            await time_passes(mail_effect(order), DAY + 60)
            await shop.mail(order)
    row = await row_of(order.id)
    assert row.status == Status.NEEDS_ATTENTION
    assert f"hub order resolve {order.id} mail" in (row.attention or "")
    return order.id


async def test_a_mail_that_a_person_has_found_is_done_and_not_sent_again(shop: Shop) -> None:
    order_id = await mail_of_which_nobody_knows(shop)

    await resolve("order", order_id, "mail", happened=True, reference="m-17", by="ada")

    async with run(order_id) as order:
        assert (await shop.mail(order)).message_id == "m-17"
    assert await shop.sandbox.count("sendgrid", "mail") == 0
    row = await row_of(order_id)
    assert (row.attention, row.status) == (None, Status.PAID)
    told = [event.detail for event in await story_of(order_id) if event.what == "told by hand"]
    assert len(told) == 1
    assert "by ada" in told[0]


async def test_a_payment_that_surely_was_not_made_is_asked_for_again(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "drop")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)

    await resolve("order", order.id, "payment", happened=False, reference=None, by="ada")

    async with run(order.id) as again:
        await shop.pay(again)
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_a_refund_that_stripe_refused_and_a_person_made_is_a_refund(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        refund = await begin_undo(order, "nobody ships it")
        await shop.sandbox.fault("stripe", "refund payment", "status", status=402, body=REFUSAL)
        with pytest.raises(Refused):
            await shop.refund(refund)

    await resolve("order", order.id, "refund", happened=True, reference="by bank transfer", by="ada")

    row = await row_of(order.id)
    assert (row.payment, row.refunded) == (PaymentFacet.REFUNDED, row.amount)
    async with run(order.id):
        assert (await effect_of(refund)).reference == "by bank transfer"


async def test_what_a_look_finds_by_itself_is_not_taken_from_a_person(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)

    with pytest.raises(NothingToResolve, match=f"stripe can be asked: `hub order retry {order.id}`"):
        await resolve("order", order.id, "payment", happened=True, reference="pi_1", by="ada")
    assert (await effect_of(payment_effect(order))).state == "unknown"


async def test_there_is_nothing_to_say_about_what_is_known_or_under_way_or_was_never_begun(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        with pytest.raises(NothingToResolve, match="a run is at work on it"):
            await resolve("order", order.id, "payment", happened=False, reference=None, by="ada")

    with pytest.raises(NothingToResolve, match=f"it is done already .{payment.payment_id}."):
        await resolve("order", order.id, "payment", happened=False, reference=None, by="ada")
    with pytest.raises(NothingToResolve, match="there is no such step; there are payment"):
        await resolve("order", order.id, "mail", happened=True, reference=None, by="ada")


async def test_an_order_that_waited_while_it_was_undone_says_in_the_end_why_it_was(shop: Shop) -> None:
    with ends_with(Parked):
        async with run_of_a_new_order() as order:
            await shop.until_paid(order)
            await shop.sandbox.fault("stripe", "refund payment", "conflict")
            await shop.refund(await begin_undo(order, "nobody ships it"))
    assert "waits: " in (await row_of(order.id)).message

    async with run(order.id) as again:
        await shop.refund(await begin_undo(again, "taken up again"))
        await finish_undo(again)

    row = await row_of(order.id)
    assert (row.status, row.message) == (Status.REFUNDED, "undone: nobody ships it")
