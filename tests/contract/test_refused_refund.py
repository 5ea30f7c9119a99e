"""A refund that Stripe refuses while an order is undone: a person is called once, sees why, and says how the money went back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from hub.api_keys import add_key
from hub.facets import Status
from tests.contract.gateway_process import Gateway, command, running_gateway
from tests.contract.ledger_kit import Shop, placed
from tests.contract.process_kit import accounts_of, goes_on, rests

DISPUTED = {"error": {"type": "card_error", "code": "charge_disputed", "message": "The charge is disputed."}}
NOBODY_DELIVERS_THERE = {"street": "965 Mission St", "city": "San Francisco", "state": "CA", "zip": "00000"}


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(hub_database: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path, database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _accounts(shop: Shop) -> AsyncIterator[None]:
    with accounts_of(shop):
        yield


async def test_a_refused_refund_calls_a_person_once_who_sees_why_and_resolves_it(shop: Shop, gateway: Gateway) -> None:
    key = await add_key("a person")

    async def hub(*arguments: str) -> str:
        return await command(*arguments, HUB_GATEWAY_URL=gateway.url, HUB_GATEWAY_KEY=key)

    await shop.sandbox.fault("stripe", "refund payment", "status", status=402, body=DISPUTED, times=None)
    order_id = await placed(shipping=NOBODY_DELIVERS_THERE)

    row = await rests(order_id)
    await goes_on(order_id)

    assert row.status == Status.NEEDS_ATTENTION
    [told] = await shop.sandbox.objects("slack", "message")
    assert "needs attention" in told["text"]
    assert len(await shop.sandbox.requests("stripe", "refund payment")) == 1
    explained = await hub("order", "explain", order_id)
    assert "needs_attention" in explained
    assert "stripe could not refund the payment" in explained
    assert "charge_disputed" in explained
    assert order_id in await hub("attention", "list")

    await hub("order", "resolve", order_id, "refund", "--happened", "--reference", "by bank transfer", "--by", "ada")
    row = await rests(order_id)

    assert (row.status, row.refunded) == (Status.REFUNDED, row.amount)
    assert "told by hand" in await hub("order", "explain", order_id)
    assert await shop.sandbox.count("stripe", "refund") == 0
    assert await shop.sandbox.count("sendgrid", "mail", order_id) == 1
