"""How much is measured: the whole run, and a quick one that shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default"
"""The latency of each provider as the sandbox has it by itself."""
STOCK_LATENCY = "50"
"""Where the rates of all contenders are measured, one right after the other."""


@dataclass(frozen=True)
class Plan:
    """
    The numbers of one run. Latencies are milliseconds of every provider, or `DEFAULT`.

    ``rounds`` is how often each latency is measured, one order at a time; the stock worker, which takes seconds for each, takes part in the
    first ``stock_rounds`` of them at 0 ms, and in ``stock_rounds_elsewhere`` at the others. ``bursts`` are the latencies at which many
    orders are measured beside `STOCK_LATENCY`, ``bulks`` those of bulk runs. ``limit_seconds`` ends whatever takes longer.
    """

    name: str
    rounds: int
    stock_rounds: int
    stock_rounds_elsewhere: int
    latencies: tuple[str, ...]
    bursts: tuple[str, ...]
    burst: int
    stock_burst: int
    bulks: tuple[str, ...]
    bulk: int
    orders_in_all: int
    limit_seconds: float


WHOLE = Plan(
    name="whole",
    rounds=12,
    stock_rounds=5,
    stock_rounds_elsewhere=2,
    latencies=("0", "50", "100", DEFAULT),
    bursts=("0", "100"),
    burst=200,
    stock_burst=20,
    bulks=("0", "50", "100"),
    bulk=500,
    orders_in_all=2200,
    limit_seconds=300,
)
QUICK = Plan(
    name="quick",
    rounds=3,
    stock_rounds=1,
    stock_rounds_elsewhere=0,
    latencies=("0", "50", "100", DEFAULT),
    bursts=(),
    burst=40,
    stock_burst=4,
    bulks=("50",),
    bulk=60,
    orders_in_all=0,
    limit_seconds=120,
)
