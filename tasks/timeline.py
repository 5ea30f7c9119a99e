"""The order's timeline, where people look first: a table artifact of the run."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from prefect.artifacts import acreate_table_artifact

from hub.story import story_of

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

IN_HAND = "InHand"
"""Name of the state of a run that left its order to another one."""


async def publish_timeline(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """
    Put the whole story of the run's order so far beside the run in Prefect.

    A hook: the run is over for everybody before this is written, and the process stays until it is. Should it die in between, the story
    itself is in our rows.
    """
    del flow
    if state.name == IN_HAND:
        return
    order_id = str(flow_run.parameters["order_id"])
    table = [
        {"time": event.at.isoformat(timespec="milliseconds"), "about": event.about, "what": event.what, "detail": event.detail}
        for event in await story_of(order_id)
    ]
    await acreate_table_artifact(
        table=table, key=artifact_key(order_id), description=f"What has happened to order {order_id}, oldest first."
    )


def artifact_key(order_id: str) -> str:
    """Return the artifact key of an order: Prefect takes lower-case letters, digits and dashes, our ids are richer."""
    plain = re.sub(r"[^a-z0-9]+", "-", order_id.lower()).strip("-")
    return f"order-{plain}-{hashlib.sha256(order_id.encode()).hexdigest()[:6]}"
