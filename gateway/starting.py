"""Starts the process of what has just come in, once the answer is on its way."""

from __future__ import annotations

import logging

from blocks.process_server import start_run, start_subject_run
from hub.deciding import refund_run_key
from hub.due import next_run_key

log = logging.getLogger(__name__)


async def start(kind: str, subject_id: str) -> None:
    """Start the process of a subject that is due. When Prefect does not answer, the sweep does it: the subject is kept and due."""
    try:
        if (key := await next_run_key(subject_id, kind)) is not None:
            await start_subject_run(kind, subject_id, key)
    except Exception as error:  # noqa: BLE001 - the row is the truth; a run that did not start costs latency, never a subject
        log.warning("%s %s is kept, but its run was not started (%s); the sweep will", kind, subject_id, type(error).__name__)


async def start_refund(order_id: str, refund_id: str) -> None:
    """Start the run that sees to the refund. When Prefect does not answer, the sweep does it: the refund is kept and due."""
    try:
        await start_run("refund-order/hub", {"order_id": order_id, "refund_id": refund_id}, key=await refund_run_key(order_id, refund_id))
    except Exception as error:  # noqa: BLE001 - the rows are the truth here, too
        log.warning("refund %s of order %s is kept, but its run was not started (%s)", refund_id, order_id, type(error).__name__)
