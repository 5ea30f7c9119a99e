"""
What undoing an order takes beside its money, as a plan: every label that is not used goes back.

Whoever decides it, a run, a callback or a person, commits the decision together with all that it takes; the order's runs then do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.facets import HoldFacet
from hub.facts import UndoBegun
from hub.subject_rows import record
from hub.voiding import intend_voids

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.orders import Order
    from hub.tables import OrderRow


async def plan_undo(session: AsyncSession, row: OrderRow, order: Order, because: str, *, source: str) -> None:
    """
    Record that the locked order is being undone, and intend to give its labels back; a second time changes nothing.

    What is left of its money is ``hub.refunds.intend_rest``.
    """
    if row.hold == HoldFacet.NONE:
        await record(session, row, UndoBegun(because=because), source=source)
        await intend_voids(session, row, order)
