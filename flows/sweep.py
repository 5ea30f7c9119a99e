"""The janitor: whatever was lost (an event, a run, a process), this finds it and starts it again."""

from __future__ import annotations

from prefect import flow

from tasks.recovery import Swept, call_for_attention, clear_dead_runs, start_due_orders


@flow(name="sweep", persist_result=False)
async def sweep() -> Swept:
    """Clear away runs that died, call for attention where nothing helps, and start what is due. Safe at any time, also twice at once."""
    crashed = await clear_dead_runs()
    attention = await call_for_attention()
    return Swept(crashed=crashed, started=await start_due_orders(), attention=attention)
