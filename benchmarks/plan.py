"""How much is measured: the whole run, and a quick one that shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass

START, IDLE, ONE, MANY, BULK_RUNS, MEMORY, TROUBLE = "start", "idle", "one", "many", "bulk", "memory", "trouble"
WEBHOOKS, SCRAPES = "webhooks", "scrapes"
PARTS = {
    START: "the start on an empty folder",
    IDLE: "what the stack uses at rest",
    ONE: "one order at a time, beside the stock worker",
    MANY: "bursts, beside the stock worker and empty flows",
    BULK_RUNS: "many orders in one run",
    MEMORY: "memory until enough orders were processed",
    TROUBLE: "cancelled and killed, and flows that raise, block or leak",
    WEBHOOKS: "webhooks accepted, beside an endpoint that only inserts a row; and how soon their facts are applied",
    SCRAPES: "scrapes of the metrics beside 100,000 effects, and what counting costs",
}
"""What can be measured by itself."""

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
    orders are measured beside `STOCK_LATENCY`, ``bulks`` those of bulk runs. ``cancels`` runs
    are cancelled, the worker is killed with ``kill_orders`` in flight, and orders come in for ``beside_seconds`` at least beside a flow
    that behaves badly. ``accept_webhooks`` are accepted ``accept_rounds`` times, with and without a worker, beside the bare endpoint;
    ``light_webhooks`` come one at a time, others ``flow_rate`` a second for ``flow_seconds``. The ledger is filled with ``past_orders`` of
    five effects each, and scraped ``scrapes`` times in each of ``scrape_rounds``, in which ``ended_calls`` end, too. ``limit_seconds`` ends
    whatever takes longer.
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
    cancels: int
    kill_orders: int
    beside_seconds: float
    accept_rounds: int
    accept_webhooks: int
    light_webhooks: int
    flow_rate: float
    flow_seconds: float
    past_orders: int
    scrape_rounds: int
    scrapes: int
    ended_calls: int
    limit_seconds: float


WHOLE = Plan(
    name="whole",
    rounds=8,
    stock_rounds=3,
    stock_rounds_elsewhere=1,
    latencies=("0", "50", "100", DEFAULT),
    bursts=("0",),
    burst=200,
    stock_burst=14,
    bulks=("0", "50"),
    bulk=500,
    orders_in_all=2100,
    cancels=3,
    kill_orders=50,
    beside_seconds=6,
    accept_rounds=3,
    accept_webhooks=6000,
    light_webhooks=20,
    flow_rate=20,
    flow_seconds=20,
    past_orders=20_000,
    scrape_rounds=5,
    scrapes=20,
    ended_calls=1500,
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
    cancels=1,
    kill_orders=20,
    beside_seconds=4,
    accept_rounds=2,
    accept_webhooks=2000,
    light_webhooks=6,
    flow_rate=20,
    flow_seconds=4,
    past_orders=4000,
    scrape_rounds=2,
    scrapes=5,
    ended_calls=300,
    limit_seconds=120,
)
