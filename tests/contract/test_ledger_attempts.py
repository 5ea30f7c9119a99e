"""A new attempt: what it takes over from the one before, and what it makes sure of."""

from __future__ import annotations

import pytest

from hub.errors import Refused
from hub.intake import raise_attempt
from hub.ledger import once
from hub.payments import CancelRequest, PaymentStatus
from hub.stock import release, reserve
from tests.contract.ledger_kit import (
    Shop,
    placed,
    row_of,
    run,
    sql,
)


async def test_every_attempt_cancels_the_payment_of_the_one_before(shop: Shop) -> None:
    order_id, canceled = await placed(paymentMethod="pm_card_chargeDeclined"), []
    for attempt in (1, 2, 3):
        if attempt > 1:
            await raise_attempt(order_id, attempt)
        async with run(order_id) as order:
            await reserve(order)
            if order.earlier_payment_id is not None:
                cancellation = order.effect(f"cancel-payment.{attempt}", CancelRequest(payment_id=order.earlier_payment_id))
                payment = await once(cancellation, terms=shop.stripe.terms, call=shop.stripe.cancel_payment)
                assert payment.status is PaymentStatus.CANCELED
                canceled.append(payment.payment_id)
            with pytest.raises(Refused) as refusal:
                await shop.pay(order)
            await release(order)
        assert refusal.value.reference not in canceled

    assert len(set(canceled)) == 2


async def test_what_an_earlier_attempt_did_and_is_still_good_is_carried_over(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    async with run(order_id) as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)
        message = await shop.tell_team(order, "team-alert")
        await release(order)
    await raise_attempt(order_id, 2, "pm_card_visa")

    async with run(order_id) as second:
        assert second.attempt == 2
        assert (await shop.until_paid(second)).status is PaymentStatus.SUCCEEDED
        assert await shop.tell_team(second, "team-alert") == message
    assert await shop.sandbox.count("slack", "message") == 1


async def test_a_payment_to_be_cancelled_is_remembered_over_an_attempt_that_came_to_no_payment(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    async with run(order_id) as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)
    declined = (await row_of(order_id)).payment_id
    await raise_attempt(order_id, 2)
    await sql("UPDATE orders SET stock = 'short', status = 'out_of_stock' WHERE id = :id", id=order_id)
    await raise_attempt(order_id, 3)

    assert declined is not None
    assert (await row_of(order_id)).earlier_payment_id == declined
