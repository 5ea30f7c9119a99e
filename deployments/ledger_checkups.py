"""What `hub doctor` looks at in the hub's own rows. Every check returns one sentence, or raises a ``Problem`` that says what to do."""

from __future__ import annotations

from datetime import timedelta

from deployments.problems import Problem
from hub.audit import verify_chains
from hub.notice_views import count_notices
from hub.notices import NoticeState
from hub.reconciliation.periods import last_report
from hub.reconciliation.reports import in_money
from hub.recovery import in_recovery_since

SHOWN = 5
OVERDUE = timedelta(hours=36)


async def payment_audit() -> str:
    """Nobody has changed what was done with anybody's money."""
    found = await verify_chains()
    if found.broken:
        named = "; ".join(f"{one.subject_kind} {one.subject_id} from entry {one.number} on" for one in found.broken[:SHOWN])
        raise Problem(f"{len(found.broken)} chains are broken: {named}. Compare these with the provider; see docs/runbook.md.")
    return f"{found.entries} entries about {found.subjects} subjects, every chain is whole; heads {found.heads[:16]}"


async def notices() -> str:
    """Everything that providers told us was understood."""
    counts = await count_notices()
    stuck = {state: sum(n for _, _, kept, n in counts if kept == state) for state in (NoticeState.FAILED, NoticeState.QUARANTINED)}
    if any(stuck.values()):
        said = ", ".join(f"{number} {state}" for state, number in stuck.items() if number)
        raise Problem(f"{said}: look at them with `hub notices list --state failed|quarantined`, mend, then `hub notices replay`.")
    return f"{sum(n for *_, n in counts)} kept, none failed or quarantined"


async def recovery() -> str:
    """Providers may be asked."""
    if (since := await in_recovery_since()) is not None:
        raise Problem(f"since {since:%Y-%m-%d %H:%M} UTC providers are asked nothing: see docs/operations.md, then `hub recover end`.")
    return "not in recovery"


async def reconciliation() -> str:
    """The ledger was compared with the providers lately, and they agree about money."""
    last = await last_report()
    if last is None:
        return "none was finished yet; it is made every night, or with `hub reconcile`"
    if last.age > OVERDUE:
        raise Problem(
            f"the last one was finished {last.at:%Y-%m-%d %H:%M} UTC: look at the runs of reconcile-providers, or `hub reconcile`."
        )
    if last.report.drift:
        raise Problem(f"the ledger and the providers differ by {in_money(last.report.drift)}: `hub reconcile` shows where.")
    return f"finished {last.at:%Y-%m-%d %H:%M} UTC, {last.report.found} differences, {last.report.repaired} repaired, no drift"
