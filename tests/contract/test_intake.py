"""Orders come in once, whatever door they use."""

from __future__ import annotations

import asyncio

import pytest

from deployments.examples import EXAMPLE_ORDER
from hub.intake import NoNewAttempt, OrderDiffers, place, raise_attempt
from hub.order_rows import NoSuchOrder
from hub.orders import OrderRequest
from hub.views import view_order

pytestmark = pytest.mark.usefixtures("hub_database")


def an_order(**changes: object) -> OrderRequest:
    return OrderRequest.model_validate({**EXAMPLE_ORDER, **changes})


async def test_the_same_order_twice_at_once_is_one_order() -> None:
    placed = await asyncio.gather(*(place("o-twice", an_order()) for _ in range(8)))

    assert sum(one.new for one in placed) == 1


async def test_another_order_under_a_known_id_is_refused_and_says_where_it_differs() -> None:
    await place("o-known", an_order())

    with pytest.raises(OrderDiffers) as refusal:
        await place("o-known", an_order(currency="eur", items=[{"productId": "prod-123", "quantity": 3, "price": 5000}]))

    assert refusal.value.paths == ["items[0].quantity", "currency"]


async def test_a_new_order_takes_no_new_attempt() -> None:
    await place("o-fresh", an_order())

    with pytest.raises(NoNewAttempt, match="it is received"):
        await raise_attempt("o-fresh", 2)

    assert (await view_order("o-fresh")).attempt == 1


async def test_a_new_order_with_a_later_attempt_is_refused_and_not_kept() -> None:
    with pytest.raises(NoNewAttempt, match="begins with attempt 1"):
        await place("o-ahead", an_order(), first_attempt=5)

    with pytest.raises(NoSuchOrder):
        await view_order("o-ahead")
