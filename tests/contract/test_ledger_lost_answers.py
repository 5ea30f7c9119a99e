"""Resolve: what nobody knows is found out, and only what surely did not happen is asked again."""

from __future__ import annotations

import pytest

from hub.beginning import begin
from hub.begun import Ask
from hub.effects import Parked
from hub.errors import OutcomeUnknown
from hub.stock import reserve
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    attempts_of,
    changed,
    effect_of,
    ends_with,
    label_effect,
    mail_effect,
    outcomes_of,
    payment_effect,
    row_of,
    run_of_a_new_order,
    team_effect,
    time_passes,
)


async def test_an_answer_lost_after_the_charge_is_asked_for_again_under_the_same_key(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)
        assert (await effect_of(payment_effect(order))).state == "unknown"
        payment = await shop.pay(order)

    assert await shop.sandbox.count("stripe", "charge") == 1
    first, second = await shop.sandbox.requests("stripe", "create payment")
    assert (first["key"], second["replayed"]) == (second["key"], True)
    assert (await effect_of(payment_effect(order))).reference == payment.payment_id


async def test_an_answer_lost_after_the_label_was_bought_is_found_by_looking(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        effect = label_effect(order, rate_id)
        await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.label(order, rate_id)
        await time_passes(effect, SETTLED_SECONDS)
        epoch = (await row_of(order.id)).epoch
        label = await shop.label(order, rate_id)

    row = await row_of(order.id)
    assert (row.tracking_number, row.epoch) == (label.tracking_number, epoch + 1)
    assert await shop.sandbox.count("shippo", "label") == 1
    assert await outcomes_of(effect) == ["found"]
    assert await outcomes_of(effect, "look") == ["found"]


async def test_a_message_whose_answer_was_lost_is_found_in_the_history(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("slack", "post message", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.tell_team(order)
        await time_passes(team_effect(order), SETTLED_SECONDS)
        message = await shop.tell_team(order)

    assert (await effect_of(team_effect(order))).reference == message.timestamp
    assert await shop.sandbox.count("slack", "message") == 1


async def test_a_mail_whose_answer_was_lost_stays_unknown_and_is_never_sent_again(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("sendgrid", "send mail", "drop", when="after")
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                await shop.mail(order)
            await time_passes(mail_effect(order), SETTLED_SECONDS)
        await shop.tell_team(order)  # the order goes on

    effect = await effect_of(mail_effect(order))
    assert effect.state == "unknown"
    assert len(await shop.sandbox.requests("sendgrid", "send mail")) == 1
    row = await row_of(order.id)
    assert row.resume_at == effect.resume_at
    assert row.resume_at is not None
    assert (row.resume_at - effect.created_at).total_seconds() == pytest.approx(86_400, abs=5)


@pytest.mark.parametrize("step", ["label", "message"])
async def test_what_was_absent_twice_a_gap_apart_is_repeated_exactly_once(shop: Shop, step: str) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        if step == "message":
            await shop.label(order, rate_id)
        provider, operation = ("shippo", "buy label") if step == "label" else ("slack", "post message")
        effect = label_effect(order, rate_id) if step == "label" else team_effect(order)
        await shop.sandbox.fault(provider, operation, "drop")
        with pytest.raises(OutcomeUnknown):
            await (shop.label(order, rate_id) if step == "label" else shop.tell_team(order))
        await time_passes(effect, SETTLED_SECONDS)
        await (shop.label(order, rate_id) if step == "label" else shop.tell_team(order))

    assert len(await shop.sandbox.requests(provider, operation)) == 2
    assert await shop.sandbox.count(provider, step) == 1
    first, second = await attempts_of(effect)
    assert (first.outcome, second.outcome) == ("absent", "done")
    once, twice = await attempts_of(effect, "look")
    assert (once.outcome, twice.outcome) == ("absent", "absent")
    assert first.settles_at is not None
    assert once.started_at >= first.settles_at
    assert (twice.started_at - once.started_at).total_seconds() >= 1


async def test_after_a_weekend_without_the_hub_it_looks_before_it_calls_a_person(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.label(order, rate_id)
        await time_passes(label_effect(order, rate_id), 3 * 86_400)
        assert (await shop.label(order, rate_id)).tracking_number

    assert (await row_of(order.id)).attention is None


async def test_a_long_wait_for_a_call_under_way_parks_the_order_and_holds_nothing_against_it(shop: Shop) -> None:
    order_id = ""
    with ends_with(Parked, match="may still be under way"):
        async with changed(wait_in_place_seconds="0.1"), run_of_a_new_order() as order:
            order_id = order.id
            rate_id = await shop.until_quoted(order)
            await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
            with pytest.raises(OutcomeUnknown):
                await shop.label(order, rate_id)
            await shop.label(order, rate_id)

    row = await row_of(order_id)
    assert row.lease_owner is None
    assert row.resume_at is not None
    assert row.runs_without_progress == 0


async def test_a_mail_under_way_when_its_run_died_is_not_forgotten(shop: Shop) -> None:
    async with changed(wait_in_place_seconds="0.1"), run_of_a_new_order() as order:
        await shop.until_labelled(order)
        assert isinstance(await begin(mail_effect(order), shop.sendgrid.terms), Ask)  # and the process dies
        with pytest.raises(Parked):
            await shop.mail(order)  # a courtesy: the order goes on without it

    assert (await row_of(order.id)).resume_at is not None


async def test_every_wait_for_patience_in_a_look_is_kept_in_place(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.label(order, rate_id)
        await time_passes(label_effect(order, rate_id), SETTLED_SECONDS)
        await shop.sandbox.fault("shippo", "list labels", "status", status=429, retry_after=0.2)
        label = await shop.label(order, rate_id)

    assert label.tracking_number
    assert await outcomes_of(label_effect(order, rate_id), "look") == ["rate_limited", "found"]
