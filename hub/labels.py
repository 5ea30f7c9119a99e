"""Which label is bought: the cheapest one that a carrier sells us, each offer under a step of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.claims import hold
from hub.database import transaction
from hub.errors import Refused
from hub.facts import LabelRefused
from hub.ledger import once
from hub.parcels import Label, LabelRequest
from hub.provider_words import RATE_REFUSALS
from hub.subject_rows import record

if TYPE_CHECKING:
    from hub.effects import Effect, Terms
    from hub.ledger import Call, Find
    from hub.orders import Order
    from hub.parcels import Quote

LABELS = ("label", "label.2", "label.3")
"""The steps of the offers that are tried, best first."""


async def buy_best(order: Order, quote: Quote, *, terms: Terms, call: Call[Label], find: Find[Label]) -> Label:
    """
    Return the label of the best offer that its carrier does not refuse, bought once.

    The next offer is tried only when it is known that the one before was refused, and that another carrier may sell what it does not: an
    answer that was lost is looked for first. Raises like ``once``; ``Refused`` is the last word, and that is committed.
    """
    *others, last = label_effects(order, quote)
    for effect in others:
        try:
            return await once(effect, terms=terms, call=call, find=find)
        except Refused as refusal:
            if refusal.code not in RATE_REFUSALS:
                raise
    try:
        return await once(last, terms=terms, call=call, find=find)
    except Refused as refusal:
        async with transaction() as session:
            await record(session, await hold(session, order), LabelRefused(attempt=order.attempt, code=refusal.code), source="run")
        raise


def label_effects(order: Order, quote: Quote) -> list[Effect]:
    """Return the purchases of the quote's best offers, best first, at most one for each of ``LABELS``."""
    return [
        order.effect(step, LabelRequest(rate_id=rate.rate_id, reference=parcel_reference(order, step)))
        for step, rate in zip(LABELS, quote.offers, strict=False)
    ]


def parcel_reference(order: Order, step: str) -> str:
    """Return our reference at Shippo, which keeps at most 100 characters: the hub's id is shortened, an order id has up to 64."""
    return f"{order.hub_id.hex[:12]}:{order.effect_key(step)}"
