"""SendGrid is away for half an hour: mails are owed meanwhile, next to nothing is asked, and each is sent afterwards, once."""

from __future__ import annotations

import pytest

from hub.due import due_subjects
from hub.effects import Parked
from hub.errors import NotSent
from hub.gate_views import gates, wake_behind_opened_gates
from hub.policies import BREAKER
from tests.contract.ledger_kit import Shop, mail_effect, outcomes_of, row_of, run, run_of_a_new_order, sql

MINUTES = 30


async def test_every_mail_of_half_an_hour_without_sendgrid_is_sent_after_it_once(shop: Shop) -> None:
    await sql("TRUNCATE orders, effects, attempts, facts, runs CASCADE")
    await shop.sandbox.fault("sendgrid", "send mail", "status", status=503, times=None)
    orders = [await owed_a_mail(shop) for _ in range(BREAKER.least_calls + 3)]
    [gate] = [one for one in await gates() if one.provider == "sendgrid"]
    assert (gate.state, gate.reason) == ("closed", "10 of 10 calls failed")

    for _ in range(MINUTES):
        await a_minute_passes()
        await mail_what_is_due(shop)
    asked = len(await shop.sandbox.requests("sendgrid", "send mail"))
    assert asked <= BREAKER.least_calls + 2 + MINUTES * 60 / BREAKER.longest_seconds + 4, "nobody but a probe asks"
    assert await shop.sandbox.count("sendgrid", "mail") == 0

    await shop.sandbox.clear_faults()
    for _ in range(10):
        await a_minute_passes()
        await mail_what_is_due(shop)
        await wake_behind_opened_gates()
    sent = await shop.sandbox.effects("sendgrid", "mail")
    assert sorted(mail["subject"] for mail in sent) == sorted(orders)
    assert [(await row_of(order_id)).resume_at for order_id in orders] == [None] * len(orders)


async def test_an_api_that_is_not_available_has_taken_nothing(shop: Shop) -> None:
    await shop.sandbox.fault("sendgrid", "send mail", "status", status=503)
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        with pytest.raises(NotSent, match="its API is not available"):
            await shop.mail(order)
        await shop.mail(order)

    assert await outcomes_of(mail_effect(order)) == ["not_sent", "done"]


async def owed_a_mail(shop: Shop) -> str:
    """A new order whose mail cannot be sent now; returns its id."""
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        with pytest.raises((NotSent, Parked)):
            await shop.mail(order)
    assert (await row_of(order.id)).resume_at is not None
    return order.id


async def mail_what_is_due(shop: Shop) -> None:
    """A run of each order that is due, which is for its mail alone."""
    for subject in await due_subjects():
        async with run(subject.id) as order:
            try:
                await shop.mail(order)
            except (NotSent, Parked):
                continue


async def a_minute_passes() -> None:
    for table, moment in (("provider_gates", "closed_until"), ("effects", "resume_at"), ("orders", "resume_at")):
        await sql(f"UPDATE {table} SET {moment} = {moment} - interval '1 minute'")  # noqa: S608 - the names stand above
