"""The order's timeline, where people look first: a table artifact of the run."""

from __future__ import annotations

import hashlib
import re

from prefect.artifacts import acreate_table_artifact

from hub.story import story_of


async def publish_timeline(order_id: str) -> None:
    """Put the whole story of the order so far beside the run in Prefect."""
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
