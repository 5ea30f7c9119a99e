"""How the providers serve us, hour by hour."""

from __future__ import annotations

from prefect import flow

from tasks.reporting import publish_health


@flow(name="report-health", flow_run_name="report health", persist_result=False)
async def report_health() -> list[dict[str, str | int]]:
    """
    Report the last hour of each provider: calls, the share that went well, how long they took, its gate, and the trend.

    The report is the artifact `service-health` in Prefect; each run adds a version. It comes from our own rows, and asks no provider.
    """
    return await publish_health()
