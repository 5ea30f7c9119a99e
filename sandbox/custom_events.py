"""Events of the company's own systems, such as the warehouse's *packed*, signed by the Standard Webhooks scheme."""

from __future__ import annotations

import time
from typing import Any

from sandbox import warehouse_tickets
from sandbox.callback_delivery import Callback
from sandbox.callback_signing import iso
from sandbox.calls import World, new_id


def tell(world: World, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Send an event and return it with its id; what the warehouse tells is true of its own tickets, too."""
    warehouse_tickets.went_on(world, kind, data)
    event = {"type": kind, "timestamp": iso(time.time()), "data": data}
    identity = new_id("msg_", 27)
    world.callbacks.post(Callback("custom", kind, identity, event))
    return {"id": identity, **event}
