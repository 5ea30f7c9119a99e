"""Starts the process of what has just come in, once the answer is on its way."""

from __future__ import annotations

import logging

from blocks.process_server import start_subject_run
from hub.due import next_run_key

log = logging.getLogger(__name__)


async def start(kind: str, subject_id: str) -> None:
    """Start the process of a subject that is due. When Prefect does not answer, the sweep does it: the subject is kept and due."""
    try:
        if (key := await next_run_key(subject_id, kind)) is not None:
            await start_subject_run(kind, subject_id, key)
    except Exception as error:  # noqa: BLE001 - the row is the truth; a run that did not start costs latency, never a subject
        log.warning("%s %s is kept, but its run was not started (%s); the sweep will", kind, subject_id, type(error).__name__)
