"""The rehearsal warehouse's pick tickets, and how far it is with each."""

from __future__ import annotations

from typing import Any

from sandbox.calls import World

NAME = "warehouse"
STATUSES = {"packed": "packed", "picked_up": "handed_over"}


def keep(world: World, identity: str, order_id: str, ticket: dict[str, Any]) -> None:
    """Keep a ticket under the id of the message that it came with."""
    world.store.put(NAME, "pick_ticket", identity, ticket, parent=order_id)


def went_on(world: World, kind: str, data: dict[str, Any]) -> None:
    """Note what the warehouse tells about an order on its tickets, if it has any."""
    status = STATUSES.get(kind)
    if status is None:
        return
    for ticket in list(world.store.newest_first(NAME, "pick_ticket", parent=str(data.get("orderId", "")))):
        keep(world, ticket["webhookId"], ticket["orderId"], ticket | {"status": status})
