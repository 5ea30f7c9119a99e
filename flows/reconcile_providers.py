"""What the ledger says, compared with what the providers say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.runtime import flow_run
from pydantic import AwareDatetime

from hub.errors import ProviderError
from hub.reconciliation.periods import Begun, begin_reconciliation
from hub.reconciliation.reports import Compared
from hub.values import Frozen
from tasks.reconciling import PROVIDERS, compare_with, conclude, publish, tell_team

Provider = Literal["stripe", "shippo", "slack", "twilio", "github", "sendgrid"]


class Reconciled(Frozen):
    """What a reconciliation came to; ``drift`` in minor units by currency, ledger minus providers. Its table says the rest."""

    compared: int
    differences: int
    repaired: int
    drift: dict[str, int]
    audit_heads: str


@flow(name="reconcile-providers", flow_run_name="reconcile", persist_result=True)
async def reconcile_providers(
    since: AwareDatetime | None = None, until: AwareDatetime | None = None, providers: list[Provider] | None = None
) -> Reconciled:
    """
    Compare what the ledger says with what each provider says; take in what is certain, list what is not, and tell the team.

    Safe at any time, also twice at once: what was repaired is no difference any more, and nothing is repaired twice.

    Args:
        since: What was made from then on; by default 48 hours before the end.
        until: What was made up to then; by default 5 minutes ago, because news of what is younger may be on its way.
        providers: Only these.
    """
    wanted = PROVIDERS if providers is None else tuple(providers)
    begun = await begin_reconciliation(str(flow_run.id), since, until)
    compared: list[Compared] = []
    progress = await acreate_progress_artifact(0, description="Providers that were compared with the ledger.")
    async for one in reconcile(begun, wanted):
        compared.append(one)
        await aupdate_progress_artifact(progress, progress=100 * len(compared) / len(wanted))
    report = await conclude(begun, compared)
    await publish(report)
    try:
        await tell_team(begun, report)
    except ProviderError as error:
        get_run_logger().warning("the team is not told: %s", error)
    return Reconciled(
        compared=sum(one.compared for one in compared),
        differences=report.found,
        repaired=report.repaired,
        drift=report.drift,
        audit_heads=report.audit_heads,
    )


async def reconcile(begun: Begun, providers: Sequence[str]) -> AsyncIterator[Compared]:
    """Yield what came of each provider, one after the other."""
    for provider in providers:
        yield await compare_with(begun, provider)
