"""The epoch rises when anybody but the running step changes an effect, so that Prefect's memory of it is stale."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from hub.database import transaction
from hub.decisions import announce, begin_undo, finish_undo, need_attention
from hub.errors import Refused
from hub.facets import Status
from hub.facts import PaymentSettled
from hub.intake import go_on, raise_attempt
from hub.orders import Order
from hub.stock import release, reserve
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import (
    Shop,
    row_of,
    run_of_a_new_order,
)


async def _begins_to_undo(order: Order) -> None:
    await begin_undo(order, "a change of mind")


EPOCHS: dict[str, tuple[Callable[[Order], Awaitable[object]], int]] = {
    "setting the goods aside": (reserve, 0),
    "announcing": (lambda order: announce(order, ()), 0),
    "putting the goods back": (release, 0),
    "beginning to undo": (_begins_to_undo, 1),
    "ending the undoing": (finish_undo, 0),
    "calling a person": (lambda order: need_attention(order, "look"), 1),
    "a person's word": (lambda order: go_on(order.id), 1),
}


@pytest.mark.parametrize("what", EPOCHS)
async def test_the_epoch_rises_for_everything_but_the_running_step(shop: Shop, what: str) -> None:
    does, rise = EPOCHS[what]
    async with run_of_a_new_order() as order:
        epoch = (await row_of(order.id)).epoch
        await does(order)
        assert (await row_of(order.id)).epoch == epoch + rise


async def test_the_running_steps_own_outcome_leaves_the_epoch_alone(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.tell_team(order)
        await shop.mail(order)
    assert (await row_of(order.id)).epoch == order.epoch == 1


async def test_news_from_a_webhook_raises_the_epoch_once_and_makes_the_order_due(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
    assert (await row_of(order.id)).resume_at is None
    news = PaymentSettled(attempt=1, payment_id=payment.payment_id, charge_id="ch_1", amount=10000, currency="usd")
    for new in (True, False):
        async with transaction() as session:
            row, _ = await locked(session, order.id)
            assert await record(session, row, news, source="webhook") is new
    row = await row_of(order.id)
    assert (row.epoch, row.status) == (order.epoch + 1, Status.PAID)
    assert row.resume_at is not None


async def test_a_new_attempt_raises_the_epoch(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)
        await release(order)
    await raise_attempt(order.id, 2, "pm_card_visa")
    assert (await row_of(order.id)).epoch == order.epoch + 1
