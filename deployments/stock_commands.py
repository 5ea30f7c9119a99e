"""`hub stock`: how many pieces are on the shelf."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter, validators

from hub.stock import on_hand, set_on_hand

stock = App(name="stock", help="Pieces on the shelf: set, list. A product without a number is not counted and never runs out.")


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
    """List the counted products."""
    for product_id, pieces in (await on_hand()).items():
        sys.stdout.write(f"{product_id}: {pieces} on the shelf\n")
