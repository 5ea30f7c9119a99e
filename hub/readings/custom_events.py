"""
What systems of the company's own tell, by the Standard Webhooks scheme: ``{"type": "packed", "timestamp": "…", "data": {"orderId": "…"}}``.

They know this hub alone, so an order's id is enough of a reference.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from hub.facts import Delivered, Fact, Packed, PickedUp, Returned
from hub.incoming import SUBJECT_ID
from hub.readings.news import Address, Foreign, News
from hub.readings.registry import reads

PROVIDER = "custom"


class _Data(Foreign):
    orderId: Annotated[str, StringConstraints(pattern=SUBJECT_ID)]  # noqa: N815 - the name on the wire


class _Event(Foreign):
    data: _Data


def _order_has(event: dict[str, Any], fact: Fact) -> News:
    order_id = _Event.model_validate(event).data.orderId
    return News(about=Address(hub_id=None, subject_kind="order", subject_id=order_id), facts=(fact,))


@reads(PROVIDER, "packed")
def packed(event: dict[str, Any]) -> News:
    """The warehouse has packed the parcel."""
    return _order_has(event, Packed())


@reads(PROVIDER, "picked_up")
def picked_up(event: dict[str, Any]) -> News:
    """The carrier has fetched the parcel."""
    return _order_has(event, PickedUp())


@reads(PROVIDER, "delivered")
def delivered(event: dict[str, Any]) -> News:
    """The parcel has arrived; for carriers that Shippo does not follow, or our own vans."""
    return _order_has(event, Delivered())


@reads(PROVIDER, "returned")
def returned(event: dict[str, Any]) -> News:
    """The parcel is back in the warehouse."""
    return _order_has(event, Returned())
