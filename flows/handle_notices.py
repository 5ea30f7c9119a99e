"""What providers call back about: understood, applied, and followed up."""

from __future__ import annotations

from prefect import flow

from blocks.hub_events import told_to_prefect
from tasks.inbox import Drained, watch_inbox

LINGER_SECONDS, AT_MOST_SECONDS = 2.0, 60.0


@flow(name="handle-notices", flow_run_name="handle notices", persist_result=False)
async def handle_notices() -> Drained:
    """
    Work through the inbox until nothing in it is due, and nothing has come for a moment.

    The gateway's nudge starts it through an automation; the sweep does the same when a nudge was lost. Any number of runs may work side by
    side: each notice is handled once. One at a time watches the inbox; another that is started beside it ends at once.
    """
    with told_to_prefect():
        return await watch_inbox(linger_seconds=LINGER_SECONDS, at_most_seconds=AT_MOST_SECONDS)
