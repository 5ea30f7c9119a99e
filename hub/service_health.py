"""How each provider has served us lately, by our own attempts: calls, the share that went well, how long they took, and the trend."""

from __future__ import annotations

from sqlalchemy import text

from hub.database import transaction
from hub.gate_views import PROVIDERS
from hub.values import Frozen

LATELY_SECONDS = 3600
PARTS = 12
MOST_ATTEMPTS = 5000
"""So many of the latest attempts are read at most: the newest rows of an index, whatever history there is."""

_LATELY = text(
    """
    SELECT provider, part, count(*), count(*) FILTER (WHERE went_well),
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE answered)
    FROM (
        SELECT provider, extract(epoch FROM ended_at - started_at)::float8 AS seconds,
            :parts - 1 - floor(extract(epoch FROM now - started_at) * :parts / :seconds)::int AS part,
            outcome IN ('done', 'pending', 'refused') AS went_well, outcome NOT IN ('found', 'absent') AS answered
        FROM (SELECT * FROM attempts ORDER BY id DESC LIMIT :most) latest JOIN effects ON key = effect_key, LATERAL clock_timestamp() now
        WHERE kind = 'call' AND outcome IS NOT NULL AND ended_at IS NOT NULL AND started_at > now - make_interval(secs => :seconds)
    ) calls GROUP BY GROUPING SETS ((provider), (provider, part))
    """
)


class Served(Frozen):
    """Some calls of one provider: how many, how many of them went well (a business refusal did), and how long they took, in seconds."""

    calls: int = 0
    went_well: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None

    @property
    def share(self) -> float | None:
        """The share that went well, from 0 to 1; None without calls."""
        return self.went_well / self.calls if self.calls else None


class ServiceHealth(Frozen):
    """The last hour of a provider, and ``trend``, the same in twelve parts, oldest first."""

    provider: str
    lately: Served
    trend: tuple[Served, ...]


async def service_health() -> list[ServiceHealth]:
    """Return how each provider that the hub calls has served lately; of a busy hour the newest ``MOST_ATTEMPTS`` attempts count."""
    found: dict[tuple[str, int | None], Served] = {}
    values = {"parts": PARTS, "seconds": float(LATELY_SECONDS), "most": MOST_ATTEMPTS}
    async with transaction() as session:
        for provider, part, calls, went_well, took in await (await session.connection()).execute(_LATELY, values):
            p50, p95 = took or (None, None)
            found[provider, part] = Served(calls=calls, went_well=went_well, p50_seconds=p50, p95_seconds=p95)
    nothing = Served()
    return [
        ServiceHealth(
            provider=provider,
            lately=found.get((provider, None), nothing),
            trend=tuple(found.get((provider, part), nothing) for part in range(PARTS)),
        )
        for provider in PROVIDERS
    ]
