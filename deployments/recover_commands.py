"""`hub recover`: after a restore from a back-up, ask no provider anything until a person says so."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from cyclopts import App

from hub.database import migrate
from hub.recovery import begin_recovery, end_recovery, in_recovery_since

recover = App(name="recover", help="After a restore: begin, status, end (docs/operations.md).")


@recover.command
async def begin(*, backup_of: datetime) -> None:
    """
    Ask no provider anything from now on: no run takes an order, and what providers tell is applied all the same. Migrates first.

    Args:
        backup_of: When the back-up was begun that the database was restored from, e.g. 2026-11-22T03:00:00Z; UTC unless it says otherwise.
    """
    await migrate()
    await begin_recovery(backup_of if backup_of.tzinfo is not None else backup_of.replace(tzinfo=UTC))
    sys.stdout.write("in recovery: providers are asked nothing until `hub recover end`; docs/operations.md says what to do before it\n")


@recover.command
async def status() -> None:
    """Say whether the hub is in recovery."""
    since = await in_recovery_since()
    said = "not in recovery" if since is None else f"in recovery since {since.astimezone():%Y-%m-%d %H:%M:%S}; providers are asked nothing"
    sys.stdout.write(said + "\n")


@recover.command
async def end() -> None:
    """Let processes go on. What may have been asked since the back-up is looked for before it is asked again."""
    await end_recovery()
    sys.stdout.write("recovery is over; what is due is started by the next sweep, and looks before it asks\n")
