"""`hub reconcile`: compare the ledger with the providers now, and print what was found."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
from rich.console import Console
from rich.table import Table

from deployments import instance
from deployments.options import AsJson
from deployments.problems import Problem
from deployments.telling_stories import print_json
from hub.per_loop import close_all
from hub.reconciliation.periods import report_of
from hub.settings import settings

if TYPE_CHECKING:
    from hub.reconciliation.reports import Report

DEPLOYMENT = "reconcile-providers/hub"
LONGEST_SECONDS = 3600.0


async def reconcile(*, since: datetime | None = None, until: datetime | None = None, as_json: AsJson = False) -> None:
    """
    Compare what the ledger says with what each provider says; certain differences are repaired, all are printed.

    Args:
        since: What was made from then on, e.g. 2026-11-20T00:00; by default 48 hours before the end.
        until: What was made up to then; by default 5 minutes ago, because news of what is younger may be on its way.
        as_json: Print the report as JSON.
    """
    instance.point_at_prefect(settings().home.expanduser().resolve())
    try:
        report = await _reconciled({"since": _moment(since), "until": _moment(until)})
    finally:
        await close_all()
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    rows = report.table()
    table = Table(*rows[0], box=None)
    for row in rows:
        table.add_row(*row.values())
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(report.text(), markup=False)


async def _reconciled(parameters: dict[str, str | None]) -> Report:
    """Return what a run has found; the row says so, whatever Prefect has heard of it."""
    from blocks.process_server import final_state, start_run  # noqa: PLC0415 - imports Prefect
    from deployments.checkups import must_be_named  # noqa: PLC0415 - likewise

    must_be_named()
    try:
        run = await start_run(DEPLOYMENT, parameters, key=f"by-hand:{uuid4()}")
    except httpx.HTTPError as failure:
        raise Problem(f"Prefect does not answer ({type(failure).__name__}); start it with `hub up`, or see `hub doctor`") from failure
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if (report := await report_of(str(run.id))) is not None:
            return report
        if (ended_as := await final_state(run.id)) is not None and await report_of(str(run.id)) is None:
            raise Problem(f"flow run {run.id} ended as {ended_as} without a report; see it in the Prefect UI")
        await asyncio.sleep(0.5)
    raise Problem(f"flow run {run.id} is not over yet; its table in the Prefect UI will say what it has found")


def _moment(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone().isoformat()
