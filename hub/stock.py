"""Goods on the shelf: set aside for an order before anything is charged, and put back when it comes to nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.claims import hold
from hub.database import transaction
from hub.facets import StockFacet
from hub.facts import StockReleased, StockReserved, StockShort
from hub.order_rows import facets_of, is_handed_over
from hub.orders import Order
from hub.subject_rows import database_now, locked, record
from hub.tables import OrderRow, ReservationRow, StockRow
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlmodel.ext.asyncio.session import AsyncSession


class NotRestockable(Exception):
    """The order's goods cannot come back to the shelf at a person's word; ``why`` says so."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(order_id, why)
        self.order_id, self.why = order_id, why

    def __str__(self) -> str:
        return f"the goods of order {self.order_id} cannot be restocked: {self.why}"


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


async def restock(order_id: str) -> dict[str, int]:
    """
    Put the goods of a parcel that came back on the shelf, once; return how many pieces of which counted products that were now.

    Raises:
        NoSuchOrder: It does not exist.
        NotRestockable: The carrier has not had the parcel. Undoing the order puts its goods back by itself.
    """
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        if not is_handed_over(row):
            raise NotRestockable(order_id, f"it is {row.status}, and the carrier has not had its parcel; undoing it releases them")
        return await put_on_the_shelf(session, row)


async def put_on_the_shelf(session: AsyncSession, row: OrderRow) -> dict[str, int]:
    """Put the goods of the locked order back on the shelf at a person's word; the pieces by product, none when they were there already."""
    back = await put_back(session, row.id, row.attempt)
    if back:
        await record(session, row, StockReleased(attempt=row.attempt), source="person")
    return back


async def put_back(session: AsyncSession, order_id: str, attempt: int) -> dict[str, int]:
    """Put what the attempt of the locked order still has set aside back on the shelf; return the pieces by product."""
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
    return {product: reservation.quantity for product, reservation in reservations.items()}


async def check(product_id: str, pieces: int) -> bool:
    """Tell whether so many pieces are on the shelf now; a product that is not counted never runs out. Only reserving them keeps them."""
    async with transaction() as session:
        stock = await session.get(StockRow, product_id)
        return stock is None or stock.on_hand >= pieces


async def set_on_hand(product_id: str, on_hand: int) -> None:
    """Say how many pieces of a product are on the shelf; from then on it is counted."""
    async with transaction() as session:
        counted = insert(StockRow).values(product_id=product_id, on_hand=on_hand)
        await session.exec(counted.on_conflict_do_update(index_elements=["product_id"], set_={"on_hand": on_hand}))


async def set_aside() -> dict[str, int]:
    """Return the pieces of every product that orders have set aside and not given back; those that were sent are among them."""
    held = select(ReservationRow.product_id, func.sum(ReservationRow.quantity)).where(col(ReservationRow.released_at).is_(None))
    async with transaction() as session:
        return {product: int(pieces) for product, pieces in await session.exec(held.group_by(ReservationRow.product_id))}


async def on_hand() -> dict[str, int]:
    """Return the pieces on the shelf of every counted product."""
    async with transaction() as session:
        return {row.product_id: row.on_hand for row in await session.exec(select(StockRow).order_by(col(StockRow.product_id)))}


async def _shelf(session: AsyncSession, products: Collection[str]) -> list[StockRow]:
    """Lock the counted products among ``products``, always in the same order, so that two orders never wait for each other in a ring."""
    wanted = select(StockRow).where(col(StockRow.product_id).in_(list(products))).order_by(col(StockRow.product_id)).with_for_update()
    return list(await session.exec(wanted))
