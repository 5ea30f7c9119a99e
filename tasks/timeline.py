"""The subject's timeline, where people look first: a table artifact of the run."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from prefect.artifacts import acreate_table_artifact

from hub.kinds import KINDS
from hub.releasing import id_made_from
from hub.story import story_of

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

IN_HAND = "InHand"
"""Name of the state of a run that left its subject to another one."""


async def publish_timeline(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """
    Put the whole story of the run's subject so far beside the run in Prefect.

    A hook: the run is over for everybody before this is written, and the process stays until it is. Should it die in between, the story
    itself is in our rows.
    """
    if state.name == IN_HAND:
        return
    kind = next(kind for kind in KINDS.values() if kind.flow == flow.name)
    subject_id = flow_run.parameters.get(kind.parameter) or id_made_from(str(flow_run.id))
    table = [
        {"time": event.at.isoformat(timespec="milliseconds"), "about": event.about, "what": event.what, "detail": event.detail}
        for event in await story_of(subject_id, kind.name)
    ]
    await acreate_table_artifact(
        table=table, key=artifact_key(subject_id, kind.name), description=f"What has happened to {kind.name} {subject_id}, oldest first."
    )


def artifact_key(subject_id: str, kind: str = "order") -> str:
    """Return the artifact key of a subject: Prefect takes lower-case letters, digits and dashes, our ids are richer."""
    plain = re.sub(r"[^a-z0-9]+", "-", subject_id.lower()).strip("-")
    return f"{kind}-{plain}-{hashlib.sha256(subject_id.encode()).hexdigest()[:6]}"
