"""Prefect hears what happens in the hub, so that people can hang automations of their own on it; nothing of ours does."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect.events import emit_event
from prefect.settings import get_current_settings

from blocks.process_server import emit
from hub.gate_changes import GateChange, gates_told_to
from hub.status_changes import StatusChange, statuses_told_to

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0


@contextmanager
def told_to_prefect() -> Iterator[None]:
    """Let Prefect hear of every gate that moves, and of every subject that gets another status or needs a person, within the block."""
    with gates_told_to(_tell_in_passing), statuses_told_to(_tell_in_passing):
        yield


def _tell_in_passing(change: GateChange | StatusChange) -> None:
    """Hand the events to Prefect's own thread for events, which adds the run that is at work; nobody waits, and they may get lost."""
    for event in _events(change):
        emit_event(**event)


async def tell(change: GateChange) -> bool:
    """Tell Prefect, if somebody says where it is and it answers within 5 s; returns whether it has the event."""
    if get_current_settings().api.url is None:
        return False  # Prefect would start a server of its own
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            for event in _events(change):
                await emit(**event)
    except Exception as failure:  # noqa: BLE001 - Prefect may be down in many ways; the gate has moved all the same
        log.warning("Prefect was not told that the gate of %s is %s (%s)", change.provider, change.state, type(failure).__name__)
        return False
    return True


def _events(change: GateChange | StatusChange) -> Iterator[dict[str, Any]]:
    if isinstance(change, GateChange):
        yield _of_gate(change)
        return
    if change.status != change.before:
        yield _of_subject(change, f"hub.{change.subject_kind}.{change.status.lower()}")
    if change.attention is not None:
        yield _of_subject(change, "hub.attention")


def _of_gate(change: GateChange) -> dict[str, Any]:
    provider = {"prefect.resource.id": f"hub.provider.{change.provider}", "prefect.resource.name": change.provider}
    return {
        "event": f"hub.gate.{change.state}",
        "resource": {"prefect.resource.id": f"hub.gate.{change.provider}", "prefect.resource.name": f"gate of {change.provider}"},
        "related": [provider | {"prefect.resource.role": "provider"}],
        "payload": {"provider": change.provider, "reason": change.reason},
    }


def _of_subject(change: StatusChange, event: str) -> dict[str, Any]:
    name = f"{change.subject_kind} {change.subject_id}"
    kind = {"prefect.resource.id": f"hub.{change.subject_kind}", "prefect.resource.role": "kind"}
    return {
        "event": event,
        "resource": {"prefect.resource.id": f"hub.{change.subject_kind}.{change.subject_id}", "prefect.resource.name": name},
        "related": [kind],
        "payload": change.model_dump(),
    }
