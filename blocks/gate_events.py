"""Prefect hears when a provider's gate closes and opens, so that people can hang automations of their own on it; nothing of ours does."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from prefect.events import emit_event
from prefect.settings import get_current_settings

from blocks.process_server import emit
from hub.gate_changes import GateChange

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0


def tell_in_passing(change: GateChange) -> None:
    """Hand the event to Prefect's own thread for events, which adds the run that is at work; nobody waits for it, and it may get lost."""
    emit_event(**_event(change))


async def tell(change: GateChange) -> bool:
    """Tell Prefect, if somebody says where it is and it answers within 5 s; returns whether it has the event."""
    if get_current_settings().api.url is None:
        return False  # Prefect would start a server of its own
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await emit(**_event(change))
    except Exception as failure:  # noqa: BLE001 - Prefect may be down in many ways; the gate has moved all the same
        log.warning("Prefect was not told that the gate of %s is %s (%s)", change.provider, change.state, type(failure).__name__)
        return False
    return True


def _event(change: GateChange) -> dict[str, Any]:
    provider = {"prefect.resource.id": f"hub.provider.{change.provider}", "prefect.resource.name": change.provider}
    return {
        "event": f"hub.gate.{change.state}",
        "resource": {"prefect.resource.id": f"hub.gate.{change.provider}", "prefect.resource.name": f"gate of {change.provider}"},
        "related": [provider | {"prefect.resource.role": "provider"}],
        "payload": {"provider": change.provider, "reason": change.reason},
    }
