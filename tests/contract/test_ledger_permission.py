"""Begin refuses before any request: another run has the order, the order has moved on, or the intent could not be committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import DBAPIError

from hub.claims import Lease, take
from hub.decisions import begin_undo
from hub.effects import LeaseLost
from hub.errors import OutcomeUnknown, Refused
from hub.intake import raise_attempt
from hub.payments import Payment
from hub.stock import release, reserve
from tests.contract.ledger_kit import (
    Shop,
    attempts_of,
    dies,
    effect_of,
    ends_with,
    lease_ends,
    payment_effect,
    placed,
    run,
    run_of_a_new_order,
    sql,
)


async def test_a_run_whose_lease_is_over_asks_nobody(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    await lease_ends(order)

    with pytest.raises(LeaseLost, match="another run has taken"):
        await shop.pay(order)
    assert await shop.sandbox.requests("stripe") == []
    assert await attempts_of(payment_effect(order)) == []


async def test_a_run_that_was_overtaken_asks_nobody_while_the_new_one_does(shop: Shop) -> None:
    order = await dies(await placed())
    await reserve(order)
    await lease_ends(order)
    heir = await take(order.id, "the heir")
    assert isinstance(heir, Lease)
    assert heir.subject.fence == order.fence + 1

    with pytest.raises(LeaseLost):
        await shop.pay(order)
    with pytest.raises(LeaseLost):
        await shop.pay(heir.subject.model_copy(update={"run_id": order.run_id}))
    assert await shop.sandbox.requests("stripe") == []
    await shop.pay(heir.subject)
    await heir.let_go("rested", resume_in_seconds=None)
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_a_run_of_an_older_attempt_asks_nobody(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    with ends_with(LeaseLost, match="at attempt 2 now"):
        async with run(order_id) as order:
            with pytest.raises(Refused):
                await shop.until_paid(order)
            await raise_attempt(order_id, 2, "pm_card_visa")
            await shop.pay(order)
    assert await shop.sandbox.count("stripe", "charge") == 0


@pytest.mark.parametrize("state", ["before the goods are set aside", "after the goods went back", "while it is being undone"])
async def test_nothing_is_charged_in_a_state_that_does_not_permit_it(shop: Shop, state: str) -> None:
    with ends_with(LeaseLost, match="does not permit the step payment"):
        async with run_of_a_new_order() as order:
            if state != "before the goods are set aside":
                await reserve(order)
            if state == "after the goods went back":
                await release(order)
            if state == "while it is being undone":
                await begin_undo(order, "a change of mind")
            await shop.pay(order)
    assert await shop.sandbox.requests("stripe") == []
    assert await attempts_of(payment_effect(order)) == []


async def test_no_label_is_bought_and_nobody_told_before_the_order_is_paid(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        for step in (shop.label(order, "rate"), shop.quote(order), shop.tell_team(order), shop.mail(order)):
            with pytest.raises(LeaseLost, match="does not permit"):
                await step
    assert await shop.sandbox.requests() == []


@asynccontextmanager
async def sabotaged(event: str, body: str) -> AsyncIterator[None]:
    """A database in which every insert into ``attempts`` runs ``body`` (``event`` is the trigger's timing)."""
    await sql(f"CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$")
    await sql(f"CREATE CONSTRAINT TRIGGER sabotage AFTER INSERT ON attempts {event} FOR EACH ROW EXECUTE FUNCTION sabotage()")
    try:
        yield
    finally:
        await sql("DROP TRIGGER sabotage ON attempts")
        await sql("DROP FUNCTION sabotage")


@pytest.mark.parametrize(
    ("event", "body"),
    [
        pytest.param("NOT DEFERRABLE", "RAISE EXCEPTION 'no room'", id="the row cannot be written"),
        pytest.param("DEFERRABLE INITIALLY DEFERRED", "RAISE EXCEPTION 'no room'", id="the commit fails"),
        pytest.param("DEFERRABLE INITIALLY DEFERRED", "PERFORM pg_terminate_backend(pg_backend_pid())", id="the line dies in the commit"),
    ],
)
async def test_without_a_committed_intent_nobody_is_asked(shop: Shop, event: str, body: str) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        async with sabotaged(event, body):
            with pytest.raises((DBAPIError, OSError)):
                await shop.pay(order)
        assert await shop.sandbox.requests("stripe") == []

        await shop.pay(order)
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_one_step_four_times_at_once_is_one_charge(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        results = await asyncio.gather(*(shop.pay(order) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(result, Payment | OutcomeUnknown) for result in results), results
        payment = await shop.pay(order)

    assert (await effect_of(payment_effect(order))).reference == payment.payment_id
    assert await shop.sandbox.count("stripe", "charge") == 1
