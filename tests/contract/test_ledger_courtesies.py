"""Courtesies: put off while they cannot be done, for as long as they are useful, and never in the way of the order."""

from __future__ import annotations

import pytest

from hub.beginning import postpone
from hub.claims import restart_wait_seconds
from hub.effects import Parked
from hub.errors import Misconfigured, NotSent, OutcomeUnknown, Refused
from tests.contract.ledger_kit import (
    SLACK_KEY,
    Shop,
    attempts_of,
    effect_of,
    row_of,
    run,
    run_of_a_new_order,
    sql,
    team_effect,
    time_passes,
)


async def test_a_courtesy_whose_account_cannot_be_loaded_is_made_up_for_later(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await postpone(team_effect(order))
    effect = await effect_of(team_effect(order))
    assert effect.state == "intended"
    assert effect.resume_at is not None
    assert await attempts_of(team_effect(order)) == []
    assert (await row_of(order.id)).resume_at == effect.resume_at

    async with run(order.id) as later:
        await shop.tell_team(later)
    assert (await effect_of(team_effect(order))).state == "done"
    assert (await row_of(order.id)).resume_at is None


async def test_a_courtesy_that_was_surely_not_sent_is_put_off_a_little_longer_each_time(shop: Shop) -> None:
    await shop.sandbox.revoke("slack", SLACK_KEY)
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        with pytest.raises(Misconfigured):
            await shop.tell_team(order)
    effect = await effect_of(team_effect(order))
    [attempt] = await attempts_of(team_effect(order))
    assert effect.state == "intended"
    assert effect.resume_at is not None
    assert attempt.ended_at is not None
    assert (effect.resume_at - attempt.ended_at).total_seconds() == pytest.approx(restart_wait_seconds(1), abs=1)
    assert (await row_of(order.id)).resume_at == effect.resume_at

    async with run(order.id) as later:
        with pytest.raises(Misconfigured):
            await shop.tell_team(later)
    effect = await effect_of(team_effect(order))
    assert effect.resume_at is not None
    _, attempt = await attempts_of(team_effect(order))
    assert attempt.ended_at is not None
    assert (effect.resume_at - attempt.ended_at).total_seconds() == pytest.approx(restart_wait_seconds(2), abs=1)

    await shop.sandbox.restore("slack", SLACK_KEY)
    async with run(order.id) as last:
        await shop.tell_team(last)
    assert (await row_of(order.id)).resume_at is None


async def test_a_courtesy_behind_a_closed_gate_waits_until_it_opens(shop: Shop) -> None:
    await sql(
        "INSERT INTO provider_gates (provider, misconfigured_in_a_row, closed_until, reason)"
        " VALUES ('slack', 3, clock_timestamp() + interval '1 hour', 'paused')"
    )
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        with pytest.raises(Parked, match="slack is closed: paused"):
            await shop.tell_team(order)
    row = await row_of(order.id)
    assert row.resume_at is not None
    assert (row.resume_at - row.progressed_at).total_seconds() == pytest.approx(3600, abs=5)


async def test_a_courtesy_that_is_no_longer_useful_is_not_done_any_more(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("slack", "post message", "status", status=429)
        with pytest.raises(NotSent):
            await shop.tell_team(order)
        await time_passes(team_effect(order), 3601)
        for _ in range(2):
            with pytest.raises(Refused) as too_late:
                await shop.tell_team(order)
            assert too_late.value.code == "no_longer_useful"

    assert len(await shop.sandbox.requests("slack", "post message")) == 1
    assert (await row_of(order.id)).resume_at is None


async def test_a_courtesy_that_no_run_asks_for_any_more_starts_no_runs_for_ever(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("slack", "post message", "status", status=429)
        with pytest.raises(NotSent):
            await shop.tell_team(order)
    await time_passes(team_effect(order), 300)
    assert (await row_of(order.id)).resume_at is not None
    await sql("UPDATE orders SET resume_at = clock_timestamp() WHERE id = :id", id=order.id)

    async with run(order.id):
        pass  # the order went another way meanwhile, say it is being undone
    assert (await row_of(order.id)).resume_at is None


async def test_a_courtesy_of_which_nobody_knows_is_looked_for_again_when_a_look_failed(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("slack", "post message", "drop")
        with pytest.raises(OutcomeUnknown):
            await shop.tell_team(order)
    await time_passes(team_effect(order), 600)
    await shop.sandbox.fault("slack", "read history", "status", status=500)
    async with run(order.id) as later:
        with pytest.raises(OutcomeUnknown):
            await shop.tell_team(later)

    row = await row_of(order.id)
    assert row.resume_at is not None
    assert row.resume_at == (await effect_of(team_effect(order))).resume_at
