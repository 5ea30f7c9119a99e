"""`hub stock`: how many pieces are on the shelf."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter, validators

from deployments.problems import Problem
from hub.order_rows import NoSuchOrder
from hub.stock import NotRestockable, check, on_hand, restock, set_aside, set_on_hand

stock = App(
    name="stock", help="Pieces on the shelf: set, list, check, restock. A product without a number is not counted and never runs out."
)


@stock.command(name="set")
async def set_(product_id: str, pieces: Annotated[int, Parameter(validator=validators.Number(gte=0))]) -> None:
    """
    Say how many pieces of a product are on the shelf; from then on it is counted.

    Args:
        product_id: The product.
        pieces: How many are there now, those set aside not included.
    """
    await set_on_hand(product_id, pieces)
    sys.stdout.write(f"{product_id}: {pieces} on the shelf\n")


@stock.command(name="list")
async def list_them() -> None:
    """List the counted products: what is on the shelf, and what orders have set aside or were sent."""
    aside = await set_aside()
    for product_id, pieces in (await on_hand()).items():
        sys.stdout.write(f"{product_id}: {pieces} on the shelf, {aside.get(product_id, 0)} in orders\n")


@stock.command(name="check")
async def check_it(product_id: str, pieces: Annotated[int, Parameter(validator=validators.Number(gte=1))]) -> int:
    """
    Say whether so many pieces of a product are on the shelf; exits with 1 if not. Nothing is set aside.

    Args:
        product_id: The product.
        pieces: How many are wanted.
    """
    enough = await check(product_id, pieces)
    sys.stdout.write(f"{product_id}: {'enough' if enough else 'not enough'} for {pieces}\n")
    return 0 if enough else 1


@stock.command(name="restock")
async def restock_them(order_id: str) -> None:
    """
    Put the goods of a parcel that came back on the shelf, once.

    Args:
        order_id: The order whose parcel it was.
    """
    try:
        back = await restock(order_id)
    except (NoSuchOrder, NotRestockable) as error:
        raise Problem(f"{error}.") from error
    for product_id, pieces in back.items():
        sys.stdout.write(f"{product_id}: {pieces} back on the shelf\n")
    if not back:
        sys.stdout.write(f"nothing of order {order_id} is to come back\n")
