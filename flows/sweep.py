"""The janitor: whatever was lost (an event, a run, a process), this finds it and starts it again."""

from __future__ import annotations

from prefect import flow

from blocks.hub_events import told_to_prefect
from tasks.approvals import see_to_approvals
from tasks.deliveries import ask_for_missed_deliveries
from tasks.inbox import drain_inbox
from tasks.recovery import (
    Swept,
    call_for_attention,
    clear_dead_runs,
    expire_unfinished_payments,
    see_to_overdue_parcels,
    start_what_is_due,
)
from tasks.retention import forget_old_content, forget_old_results


@flow(name="sweep", flow_run_name="sweep", persist_result=False)
async def sweep() -> Swept:
    """
    Find whatever was lost and start it again. Safe at any time, also twice at once.

    Runs that died are cleared away, webhooks that did not get through are asked for, notices whose nudge was lost are handled, attention is
    called for where nothing else helps and where a parcel stands still, payments that nobody finishes are called off, approvals that nobody
    gives expire, what is due is started, and what is in old notices and old results is forgotten.
    """
    with told_to_prefect():
        crashed = await clear_dead_runs()
        asked_for = await ask_for_missed_deliveries()
        drained = await drain_inbox()
        attention = await call_for_attention()
        overdue = await see_to_overdue_parcels()
        expired = await expire_unfinished_payments()
        await see_to_approvals()
        started = await start_what_is_due()
        return Swept(
            crashed=crashed,
            asked_for=asked_for,
            notices=sum(drained.notices.values()),
            started=started,
            attention=attention,
            overdue=overdue,
            expired=expired,
            cleared=await forget_old_content(),
            results=await forget_old_results(),
        )
