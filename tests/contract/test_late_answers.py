"""The answer of a call may come after the webhooks that tell what became of it since; then it is old news."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hub.beginning import Ask, begin
from hub.exchange import Exchange
from hub.facets import Status
from hub.settling import settle
from hub.stock import reserve
from tests.contract.ledger_kit import Shop, clean, effect_of, open_shop, payment_effect, row_of, run_of_a_new_order, sql
from tests.contract.notice_kit import handled, payment_told


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def the_shop(tmp_path_factory: pytest.TempPathFactory, hub_database: str) -> AsyncIterator[Shop]:
    async with open_shop(tmp_path_factory.mktemp("sandbox")) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="session")
async def shop(the_shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return await clean(the_shop)


async def test_a_payment_that_has_failed_does_not_wait_again_because_the_answer_to_its_call_comes_late(shop: Shop) -> None:
    """Otherwise it would wait for a customer who has been there, and the reason would be lost."""
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        waits = await shop.charge(effect, ask.provider_key)
        problem = {"code": "payment_intent_authentication_failure"}
        await handled(payment_told("payment_failed", order, waits.payment_id, last_payment_error=problem))

        await settle(effect, ask.attempt_id, Exchange(), waits)

    row = await effect_of(effect)
    assert (row.state, row.code) == ("refused", problem["code"])
    assert (await row_of(order.id)).status == Status.PAYMENT_FAILED
