"""How the providers serve us, whether they may be called, and what they told that nobody could apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocks.hub_events import tell
from gateway.pages.rendering import page
from hub import gate_views
from hub.gate_changes import gates_told_to
from hub.notice_views import list_notices
from hub.notices import NoticeState
from hub.service_health import LATELY_SECONDS, MOST_ATTEMPTS, service_health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.pages.guards import Asked
    from hub.service_health import Served

WIDTH, HEIGHT = 240, 56
LONGEST_REASON = 300


@dataclass(frozen=True)
class Chart:
    """The trend of a provider's latency as lines, each a list of points ``x,y``; broken where nobody called. ``words`` say the same."""

    p50: list[str]
    p95: list[str]
    words: str


async def services(request: Request) -> Response:
    """Show each provider's last hour, its gate, and the notices that failed."""
    gates = {gate.provider: gate for gate in await gate_views.gates()}
    rows = [(health, gates[health.provider], chart_of(health.trend)) for health in await service_health()]
    stuck = [one for state in (NoticeState.FAILED, NoticeState.QUARANTINED) for one in await list_notices(state)]
    words = {"minutes": LATELY_SECONDS // 60, "most": MOST_ATTEMPTS, "width": WIDTH, "height": HEIGHT}
    return page(request, "services", rows=rows, stuck=stuck, **words)


async def pause(asked: Asked) -> str:
    """Call the provider no more."""
    provider, because = asked.request.path_params["provider"], asked.field("because")[:LONGEST_REASON] or "by hand"
    with gates_told_to(lambda change: asked.later.add_task(tell, change)):
        await gate_views.pause(provider, f"{because} ({asked.by})")
    return f"{provider} is paused; whatever needs it waits, and nothing is lost."


async def resume(asked: Asked) -> str:
    """Open the provider's gate, whoever closed it."""
    provider = asked.request.path_params["provider"]
    with gates_told_to(lambda change: asked.later.add_task(tell, change)):
        woken = await gate_views.resume(provider)
    return f"{provider} is open; {woken} that waited for it go on with the next sweep."


def chart_of(trend: Sequence[Served]) -> Chart:
    """Return the chart of some parts of time, oldest first."""
    slowest = max((part.p95_seconds or 0 for part in trend), default=0)
    if not slowest:
        return Chart([], [], "no calls")
    p50, p95 = [part.p50_seconds for part in trend], [part.p95_seconds for part in trend]
    known = [took for took in p95 if took is not None]
    first, last, worst = (f"{seconds * 1000:.0f} ms" for seconds in (known[0], known[-1], slowest))
    words = f"95 of 100 calls took at most {first} at first, {last} at last, {worst} at worst"
    return Chart(_lines(p50, slowest), _lines(p95, slowest), words)


def _lines(values: Sequence[float | None], highest: float) -> list[str]:
    """Return the points of each unbroken stretch; one that stands alone is a short dash."""
    step, half = WIDTH / len(values), WIDTH / len(values) / 2
    lines: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            height = HEIGHT - 4 - (HEIGHT - 8) * value / highest
            lines[-1].append(f"{number * step + half:.1f},{height:.1f}")
    dashes = (
        line if len(line) > 1 else [line[0], f"{float(line[0].partition(',')[0]) + 6:.1f},{line[0].partition(',')[2]}"]
        for line in lines
        if line
    )
    return [" ".join(line) for line in dashes]
