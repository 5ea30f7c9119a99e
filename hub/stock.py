"""Goods on the shelf: set aside for an order before anything is charged, and put back when it comes to nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.claims import hold
from hub.database import transaction
from hub.facets import StockFacet
from hub.facts import StockReleased, StockReserved, StockShort
from hub.order_rows import facets_of
from hub.orders import Order
from hub.subject_rows import database_now, record
from hub.tables import ReservationRow, StockRow
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlmodel.ext.asyncio.session import AsyncSession


class Reservation(Frozen):
    """What reserving came to; ``missing`` names the products of which there is not enough. Then nothing was set aside."""

    missing: tuple[str, ...] = ()


async def reserve(order: Order) -> Reservation:
    """Set the order's goods aside, all or none; once per attempt. Products without a stock row are not counted."""
    wanted = Counter[str]()
    for item in order.request.items:
        wanted[item.product_id] += item.quantity
    async with transaction() as session:
        row = await hold(session, order)
        if facets_of(row).stock in (StockFacet.RESERVED, StockFacet.RELEASED):
            return Reservation()
        shelf = {stock.product_id: stock for stock in await _shelf(session, wanted)}
        missing = tuple(product for product, stock in shelf.items() if stock.on_hand < wanted[product])
        if missing:
            await record(session, row, StockShort(attempt=order.attempt, products=missing), source="run")
            return Reservation(missing=missing)
        for product, stock in shelf.items():
            stock.on_hand -= wanted[product]
            session.add(ReservationRow(order_id=order.id, attempt=order.attempt, product_id=product, quantity=wanted[product]))
        await record(session, row, StockReserved(attempt=order.attempt), source="run")
        return Reservation()


async def release(order: Order) -> None:
    """Put the goods of this attempt back on the shelf; once."""
    async with transaction() as session:
        row = await hold(session, order)
        await put_back(session, order.id, order.attempt)
        await record(session, row, StockReleased(attempt=order.attempt), source="run")


async def put_back(session: AsyncSession, order_id: str, attempt: int) -> bool:
    """Put what the attempt of the locked order still has set aside back on the shelf; False when there was nothing."""
    held = await session.exec(
        select(ReservationRow)
        .where(col(ReservationRow.order_id) == order_id, col(ReservationRow.attempt) == attempt)
        .where(col(ReservationRow.released_at).is_(None))
    )
    reservations = {reservation.product_id: reservation for reservation in held}
    for stock in await _shelf(session, reservations):
        stock.on_hand += reservations[stock.product_id].quantity
    now = await database_now(session)
    for reservation in reservations.values():
        reservation.released_at = now
    return bool(reservations)


async def set_on_hand(product_id: str, on_hand: int) -> None:
    """Say how many pieces of a product are on the shelf; from then on it is counted."""
    async with transaction() as session:
        counted = insert(StockRow).values(product_id=product_id, on_hand=on_hand)
        await session.exec(counted.on_conflict_do_update(index_elements=["product_id"], set_={"on_hand": on_hand}))


async def on_hand() -> dict[str, int]:
    """Return the pieces on the shelf of every counted product."""
    async with transaction() as session:
        return {row.product_id: row.on_hand for row in await session.exec(select(StockRow).order_by(col(StockRow.product_id)))}


async def _shelf(session: AsyncSession, products: Collection[str]) -> list[StockRow]:
    """Lock the counted products among ``products``, always in the same order, so that two orders never wait for each other in a ring."""
    wanted = select(StockRow).where(col(StockRow.product_id).in_(list(products))).order_by(col(StockRow.product_id)).with_for_update()
    return list(await session.exec(wanted))
