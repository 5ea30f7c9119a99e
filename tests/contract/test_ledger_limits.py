"""Begin's limits: the budget, the send window, and the day after which a person has to look."""

from __future__ import annotations

import pytest

from hub.beginning import begin
from hub.begun import Ask, Wait
from hub.effects import LeaseLost, Parked
from hub.errors import NotSent, OutcomeUnknown
from hub.facets import Status
from hub.intake import go_on
from hub.stock import reserve
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    attempts_of,
    changed,
    effect_of,
    label_effect,
    mail_effect,
    outcomes_of,
    payment_effect,
    row_of,
    run_of_a_new_order,
    time_passes,
)


async def test_a_budget_that_is_spent_parks_the_order(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "status", status=429)
        with pytest.raises(NotSent):
            await shop.pay(order)
        await time_passes(payment_effect(order), 601)
        with pytest.raises(Parked, match="longer than payment may"):
            await shop.pay(order)

    assert len(await attempts_of(payment_effect(order))) == 1


async def test_while_our_own_database_was_away_the_provider_has_used_none_of_the_budget(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        async with changed(
            send_window_seconds="0.000001"
        ):  # the intent is committed, and then the database dies for longer than the budget
            with pytest.raises(NotSent):
                await shop.pay(order)
        await time_passes(payment_effect(order), 601)

        await shop.pay(order)

    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_what_is_open_for_a_day_needs_a_person_and_a_person_may_let_it_go_on(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        await shop.sandbox.fault("shippo", "buy label", "drop")
        with pytest.raises(OutcomeUnknown):
            await shop.label(order, rate_id)
        await time_passes(label_effect(order, rate_id), 86_401)
        with pytest.raises(LeaseLost, match="nobody knows whether shippo did 'buy the label'"):
            await shop.label(order, rate_id)

    row = await row_of(order.id)
    assert row.status == Status.NEEDS_ATTENTION
    assert row.resume_at is not None, "the next run tells the team"
    assert await shop.sandbox.count("shippo", "label") == 0
    await go_on(order.id)
    assert (await row_of(order.id)).attention is None


async def test_an_unknown_mail_is_never_repeated_and_needs_a_person_after_a_day(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        assert isinstance(await begin(mail_effect(order), shop.sendgrid.terms), Ask)
        assert isinstance(await begin(mail_effect(order), shop.sendgrid.terms), Wait)
        await time_passes(mail_effect(order), SETTLED_SECONDS)
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="cannot be asked"):
                await begin(mail_effect(order), shop.sendgrid.terms)
        assert (await effect_of(mail_effect(order))).state == "unknown"
        await time_passes(mail_effect(order), 86_400)
        with pytest.raises(LeaseLost):
            await begin(mail_effect(order), shop.sendgrid.terms)

    assert (await row_of(order.id)).status == Status.NEEDS_ATTENTION


async def test_a_closed_send_window_sends_nothing_and_leaves_the_effect_intended(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        async with changed(send_window_seconds="0.000001"):
            with pytest.raises(NotSent):
                await shop.pay(order)
        assert await outcomes_of(payment_effect(order)) == ["not_sent"]
        assert (await effect_of(payment_effect(order))).state == "intended"
        assert await shop.sandbox.requests("stripe") == []

        await shop.pay(order)

    assert await shop.sandbox.count("stripe", "charge") == 1
