"""More orders at once than there are goods: whoever gets none is charged nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest_asyncio
from sqlmodel import col, select

from hub.database import transaction
from hub.facets import Status
from hub.stock import on_hand, set_aside, set_on_hand
from hub.tables import OrderRow
from tests.contract.ledger_kit import Shop, placed
from tests.contract.process_kit import accounts_of, goes_on, rests

ORDERS, PIECES = 200, 50
PRODUCT = "prod-scarce"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    with accounts_of(shop):
        yield shop


async def rows_of(order_ids: list[str]) -> list[OrderRow]:
    async with transaction() as session:
        return list(await session.exec(select(OrderRow).where(col(OrderRow.id).in_(order_ids))))


async def test_two_hundred_orders_at_once_for_fifty_pieces_are_fifty_confirmed_and_a_hundred_and_fifty_refused_before_any_charge(
    shop: Shop,
) -> None:
    await set_on_hand(PRODUCT, PIECES)
    order_ids = await asyncio.gather(*(placed(items=[{"productId": PRODUCT, "quantity": 1, "price": 5_000}]) for _ in range(ORDERS)))

    await asyncio.gather(*(goes_on(order_id) for order_id in order_ids))
    for row in await rows_of(order_ids):  # whoever had to wait for something on a busy machine
        if row.resume_at is not None:
            await rests(row.id)

    rows = await rows_of(order_ids)
    assert Counter(row.status for row in rows) == {Status.CONFIRMED: PIECES, Status.OUT_OF_STOCK: ORDERS - PIECES}
    assert ((await on_hand())[PRODUCT], (await set_aside())[PRODUCT]) == (0, PIECES)
    happened = await shop.sandbox.effects()
    confirmed = {row.id for row in rows if row.status == Status.CONFIRMED}
    for provider, kind in (("stripe", "charge"), ("shippo", "label"), ("sendgrid", "mail")):
        subjects = [effect["subject"] for effect in happened if (effect["provider"], effect["kind"]) == (provider, kind)]
        assert (len(subjects), set(subjects)) == (PIECES, confirmed)
    assert len(await shop.sandbox.objects("stripe", "payment_intent")) == PIECES, "of the others, nothing was ever asked for"
