"""Labels that were bought and are not used go back to their carrier: which they are, and how each is given back once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlmodel import col, or_, select

from hub.beginning import intend_once
from hub.claims import hold
from hub.database import transaction
from hub.errors import Refused
from hub.facets import HoldFacet, ParcelFacet, rank
from hub.ledger import find_out, once
from hub.parcels import LabelRequest, VoidRequest
from hub.steps import EffectState
from hub.tables import EffectRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.effects import Effect, Terms
    from hub.ledger import Call, Find
    from hub.orders import Order
    from hub.parcels import Label, Void
    from hub.tables import OrderRow


async def labels_of(order: Order) -> list[Effect]:
    """Return the purchases of labels that the order has begun, whatever came of them."""
    async with transaction() as session:
        rows = await _effects(session, "order", order.id, "label")
    return [order.effect(row.step, LabelRequest.model_validate(row.request), attempt=row.attempt) for row in rows]


async def intend_voids(session: AsyncSession, row: OrderRow, order: Order) -> list[Effect]:
    """Intend to give back what the locked order has of labels and does not use, each once; return all that it ever had to give back."""
    rows = await _effects(session, "order", order.id, "void")
    voids = [order.effect(void.step, VoidRequest.model_validate(void.request), attempt=void.attempt) for void in rows]
    known = {void.request["label_id"] for void in rows}
    for label in await _effects(session, "order", order.id, "label"):
        if label.state == EffectState.DONE and label.reference not in known and not _is_used(row, label):
            step = "void" if not voids else f"void.{len(voids) + 1}"
            voids.append(order.effect(step, VoidRequest(label_id=label.reference or "")))
            await intend_once(session, voids[-1])
    return voids


def _is_used(row: OrderRow, label: EffectRow) -> bool:
    """Tell whether the label is on the order's parcel, or is to be."""
    under_way = rank(ParcelFacet(row.parcel)) >= rank(ParcelFacet.IN_TRANSIT)
    return (label.result or {}).get("tracking_number") == row.tracking_number and (row.hold == HoldFacet.NONE or under_way)


async def give_labels_back(
    order: Order, labels: list[Effect], *, terms: Terms, find_label: Find[Label], void: Call[Void], find_void: Find[Void]
) -> None:
    """
    Give back what the order has of ``labels`` that it does not use; a purchase of which nobody knows is found out about first.

    Raises like ``once``; ``Refused`` when a carrier does not take a label back, once all were tried.
    """
    for label in labels:
        with contextlib.suppress(Refused):
            await find_out(label, terms=terms, find=find_label)
    async with transaction() as session:
        voids = await intend_voids(session, await hold(session, order), order)
    refusals = []
    for effect in voids:
        try:
            await once(effect, terms=terms, call=void, find=find_void)
        except Refused as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]


async def void_of(session: AsyncSession, label: EffectRow) -> EffectRow | None:
    """Return the effect that gives this label back; None when there is none."""
    voids = await _effects(session, label.subject_kind, label.subject_id, "void")
    return next((void for void in voids if void.request["label_id"] == label.reference), None)


async def _effects(session: AsyncSession, kind: str, subject_id: str, name: str) -> list[EffectRow]:
    mine = (col(EffectRow.subject_kind) == kind, col(EffectRow.subject_id) == subject_id)
    named = or_(col(EffectRow.step) == name, col(EffectRow.step).startswith(f"{name}."))
    return list(await session.exec(select(EffectRow).where(*mine, named).order_by(col(EffectRow.created_at))))
