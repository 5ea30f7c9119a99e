"""The shelf: nothing is promised twice, and everything comes back once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from hub.claims import take
from hub.database import transaction
from hub.effects import LeaseLost
from hub.facets import Status, StockFacet
from hub.facts import Fact, PaymentFailed, Returned
from hub.intake import raise_attempt
from hub.order_rows import facets_of
from hub.orders import Order
from hub.stock import NotRestockable, check, on_hand, release, reserve, restock, set_aside, set_on_hand
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import ends_with, lease_ends, placed, row_of, run, run_of_a_new_order, sql

pytestmark = pytest.mark.usefixtures("hub_database")


@pytest_asyncio.fixture(loop_scope="session")
async def product(hub_database: str) -> str:
    return f"prod-{uuid4().hex[:8]}"


def goods(*lines: tuple[str, int]) -> list[dict[str, object]]:
    return [{"productId": product, "quantity": quantity, "price": 100} for product, quantity in lines]


async def declined(order: Order) -> None:
    async with transaction() as session:
        row, _ = await locked(session, order.id)
        await record(session, row, PaymentFailed(attempt=order.attempt, payment_id=None, code="generic_decline"), source="run")


async def test_forty_orders_at_once_for_ten_pieces_are_ten_reservations_and_thirty_refusals(product: str) -> None:
    await set_on_hand(product, 10)

    async def wants_one() -> bool:
        async with run_of_a_new_order(items=goods((product, 1))) as order:
            missing = (await reserve(order)).missing
        assert missing in ((), (product,))
        assert (await row_of(order.id)).status == (Status.OUT_OF_STOCK if missing else Status.RECEIVED)
        return not missing

    results = Counter(await asyncio.gather(*(wants_one() for _ in range(40))))

    assert results == {True: 10, False: 30}
    assert (await on_hand())[product] == 0


async def test_orders_that_want_the_same_two_products_in_either_order_never_block_each_other(product: str) -> None:
    other = f"{product}-b"
    await set_on_hand(product, 100)
    await set_on_hand(other, 100)

    async def wants(*lines: tuple[str, int]) -> None:
        async with run_of_a_new_order(items=goods(*lines)) as order:
            await reserve(order)
            await release(order)

    pairs = [((product, 1), (other, 1)), ((other, 1), (product, 1))] * 8
    await asyncio.gather(*(wants(*pair) for pair in pairs))

    shelf = await on_hand()
    assert (shelf[product], shelf[other]) == (100, 100)


async def test_goods_are_set_aside_all_or_none(product: str) -> None:
    scarce = f"{product}-scarce"
    await set_on_hand(product, 5)
    await set_on_hand(scarce, 1)
    async with run_of_a_new_order(items=goods((product, 2), (scarce, 1), (scarce, 1))) as order:
        assert (await reserve(order)).missing == (scarce,)

    shelf = await on_hand()
    assert (shelf[product], shelf[scarce]) == (5, 1)
    assert (await row_of(order.id)).message == f"out of stock: {scarce}; nothing was charged"


async def test_goods_are_set_aside_once_and_put_back_once(product: str) -> None:
    await set_on_hand(product, 10)
    async with run_of_a_new_order(items=goods((product, 3))) as order:
        await reserve(order)
        await reserve(order)
        assert (await on_hand())[product] == 7
        await release(order)
        await release(order)
        await reserve(order)
    assert (await on_hand())[product] == 10
    assert facets_of(await row_of(order.id)).stock is StockFacet.RELEASED


async def test_a_run_that_lost_its_order_touches_no_goods(product: str) -> None:
    await set_on_hand(product, 10)
    order_id = await placed(items=goods((product, 3)))
    lease = await take(order_id, "the late one")
    assert lease is not None
    await lease_ends(lease.subject)
    for act in (reserve, release):
        with pytest.raises(LeaseLost):
            await act(lease.subject)
    assert (await on_hand())[product] == 10


async def test_an_order_that_was_short_gets_its_goods_in_a_new_attempt_once_they_are_there(product: str) -> None:
    await set_on_hand(product, 0)
    async with run_of_a_new_order(items=goods((product, 1))) as order:
        assert (await reserve(order)).missing == (product,)
    await set_on_hand(product, 1)
    await raise_attempt(order.id, 2)
    async with run(order.id) as second:
        assert (await reserve(second)).missing == ()
    assert (await on_hand())[product] == 0


async def test_goods_of_a_failed_attempt_come_back_even_if_the_next_begins_before_they_were_put_back(product: str) -> None:
    await set_on_hand(product, 3)
    with ends_with(LeaseLost):
        async with run_of_a_new_order(items=goods((product, 3))) as order:
            await reserve(order)
            await declined(order)
            await raise_attempt(order.id, 2)
            await release(order)
    assert (await on_hand())[product] == 3
    async with run(order.id) as second:
        assert (await reserve(second)).missing == ()
        assert (await on_hand())[product] == 0
        await release(second)
    assert (await on_hand())[product] == 3


async def test_there_are_never_fewer_than_no_pieces_whoever_writes(product: str) -> None:
    await set_on_hand(product, 1)

    with pytest.raises(IntegrityError, match="stock_never_below_zero"):
        await sql("UPDATE stock SET on_hand = on_hand - 2 WHERE product_id = :product", product=product)


async def test_a_check_says_what_is_there_and_keeps_nothing(product: str) -> None:
    await set_on_hand(product, 2)

    assert [await check(product, pieces) for pieces in (2, 3)] == [True, False]
    assert await check(f"{product}-uncounted", 1_000)
    assert (await on_hand())[product] == 2


async def has_its_goods(product: str, *facts: Fact) -> str:
    async with run_of_a_new_order(items=goods((product, 3))) as order:
        await reserve(order)
    async with transaction() as session:
        row, _ = await locked(session, order.id)
        for fact in facts:
            await record(session, row, fact, source="webhook")
    return order.id


async def test_goods_that_came_back_are_restocked_once_also_when_many_say_so_at_once(product: str) -> None:
    await set_on_hand(product, 10)
    order_id = await has_its_goods(product, Returned())

    back = await asyncio.gather(*(restock(order_id) for _ in range(10)))

    assert sorted(map(len, back)) == [0] * 9 + [1]
    assert ((await on_hand())[product], (await set_aside()).get(product)) == (10, None)
    assert facets_of(await row_of(order_id)).stock is StockFacet.RELEASED


async def test_goods_that_have_not_left_are_not_restocked_by_hand(product: str) -> None:
    await set_on_hand(product, 10)
    order_id = await has_its_goods(product)

    with pytest.raises(NotRestockable, match="the carrier has not had its parcel"):
        await restock(order_id)

    assert (await on_hand())[product] == 7


async def hub_stock(database_url: str, *arguments: str) -> tuple[int | None, str]:
    """What a person at a terminal gets: the exit code, and everything that is printed."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "hub",
        "stock",
        *arguments,
        env=os.environ | {"HUB_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_person_sees_the_shelf_and_puts_back_what_came_back(hub_database: str, product: str) -> None:
    await set_on_hand(product, 10)
    kept, came_back = await has_its_goods(product), await has_its_goods(product, Returned())

    code, said = await hub_stock(hub_database, "list")
    assert (code, f"{product}: 4 on the shelf, 6 in orders" in said) == (0, True)
    assert await hub_stock(hub_database, "check", product, "5") == (1, f"{product}: not enough for 5\n")
    assert await hub_stock(hub_database, "restock", came_back) == (0, f"{product}: 3 back on the shelf\n")
    assert await hub_stock(hub_database, "restock", came_back) == (0, f"nothing of order {came_back} is to come back\n")
    code, said = await hub_stock(hub_database, "restock", kept)
    assert (code, "the carrier has not had its parcel" in said) == (1, True)


async def test_a_product_without_a_stock_row_never_runs_out(product: str) -> None:
    async with run_of_a_new_order(items=goods((product, 100_000))) as order:
        assert (await reserve(order)).missing == ()
    assert product not in await on_hand()
