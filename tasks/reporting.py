"""How the providers serve us, where people look first: a table artifact of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.artifacts import acreate_table_artifact

from hub.gate_views import gates
from hub.policies import INTERNAL
from hub.service_health import service_health
from tasks.memory import worth_another_transaction

if TYPE_CHECKING:
    from hub.service_health import Served, ServiceHealth

HEALTH = "service-health"
"""Key of the artifact, so that Prefect shows one report after the other as versions of it."""
BARS = "▁▂▃▄▅▆▇█"
NONE = "·"
EXPLAINED = f"The last hour of each provider. Trend: the share that went well, {BARS[0]} none, {BARS[-1]} all, {NONE} no calls; newest last"


@task(name="report-health", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def publish_health() -> list[dict[str, str | int]]:
    """Put what the last hour was like beside the run in Prefect, and return it: a row for each provider."""
    states = {gate.provider: gate.state for gate in await gates()}
    table = [_row(health, states.get(health.provider, "open")) for health in await service_health()]
    await acreate_table_artifact(table=table, key=HEALTH, description=EXPLAINED)
    return table


def _row(health: ServiceHealth, gate: str) -> dict[str, str | int]:
    lately = health.lately
    return {
        "service": health.provider,
        "calls": lately.calls,
        "went well": NONE if lately.share is None else f"{lately.share:.1%}",
        "p50": _milliseconds(lately.p50_seconds),
        "p95": _milliseconds(lately.p95_seconds),
        "gate": gate,
        "trend": "".join(_bar(part) for part in health.trend),
    }


def _milliseconds(seconds: float | None) -> str:
    return NONE if seconds is None else f"{seconds * 1000:.0f} ms"


def _bar(part: Served) -> str:
    return NONE if part.share is None else BARS[round(part.share * (len(BARS) - 1))]
