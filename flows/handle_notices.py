"""What providers call back about: understood, applied, and followed up."""

from __future__ import annotations

from prefect import flow

from hub.inbox import LINGER_SECONDS
from tasks.inbox import Drained, drain_inbox

AT_MOST_SECONDS = 60.0


@flow(name="handle-notices", flow_run_name="handle notices", persist_result=False)
async def handle_notices() -> Drained:
    """
    Work through the inbox until nothing in it is due, and nothing has come for a moment.

    The gateway's nudge starts it through an automation; the sweep does the same when a nudge was lost. Any number of runs may work side by
    side: each notice is handled once.
    """
    return await drain_inbox(linger_seconds=LINGER_SECONDS, at_most_seconds=AT_MOST_SECONDS)
