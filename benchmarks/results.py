"""What was measured, as it is written to a file, and the few numbers that are made of it."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HUB, GATEWAY, FLOOR = "hub", "gateway", "floor"
STOCK, STOCK_NAMED = "stock", "stock, command named"
NO_TASK, SIX_TASKS = "empty flow", "empty flow, six tasks"
BULK, FLOOR_BULK = "hub, bulk run", "floor, as the bulk run"
DOOR, BARE_DOOR = "the hub's door", "bare endpoint"
SHORT, LONG = "`GET /metrics`, short history", "`GET /metrics`"
HEALTH, ADDED_UP = "`GET /health`", "the same counts, added up from all rows"
COUNTED, UNCOUNTED = "a call's end committed, and counted", "a call's end committed, not counted"
ONE_AT_A_TIME, FLOW = "one at a time", "in a steady flow"


@dataclass(frozen=True)
class Single:
    """One order, with nothing else going on; ``well`` when it ended as it should."""

    who: str
    latency: str
    seconds: float
    well: bool


@dataclass(frozen=True)
class Many:
    """Many orders at once; ``well`` of them ended as they should. ``cpu`` is CPU-seconds by process, for all of them together."""

    who: str
    latency: str
    orders: int
    well: int
    seconds: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        """Orders a second, of those that went well."""
        return self.well / self.seconds

    @property
    def cpu_per_order(self) -> dict[str, float]:
        """CPU-seconds of one order, by process."""
        return {role: seconds / self.orders for role, seconds in self.cpu.items()}


@dataclass(frozen=True)
class Memory:
    """Megabytes by process once ``orders`` had been processed."""

    orders: int
    after: str
    mb: dict[str, float]


@dataclass(frozen=True)
class Finding:
    """One number about what happened when something went wrong."""

    trouble: str
    what: str
    value: float
    unit: str


@dataclass(frozen=True)
class Accepted:
    """A crowd of webhooks at one door: how many it accepted a second, and how long the answers took."""

    who: str
    worker_runs: bool
    rate: float
    median_seconds: float
    p99_seconds: float
    longest_seconds: float


@dataclass(frozen=True)
class Applied:
    """How long it took from each provider's call until the database showed its fact."""

    load: str
    seconds: list[float]


@dataclass(frozen=True)
class Scraped:
    """How long something about metrics took, with so many effects in the ledger."""

    who: str
    effects: int
    seconds: list[float]


@dataclass
class Results:
    """One run of the benchmark."""

    plan: str
    machine: dict[str, str]
    began: str
    starts: dict[str, float] = field(default_factory=dict)
    idle_cpu: dict[str, float] = field(default_factory=dict)
    singles: list[Single] = field(default_factory=list)
    many: list[Many] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    handled_a_second: float = 0
    scraped: list[Scraped] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=dict)
    orders: int = 0
    news: list[str] = field(default_factory=list)
    took_seconds: float = 0

    def seconds(self, who: str, latency: str) -> list[float]:
        """How long single orders took that went well."""
        return [one.seconds for one in self.singles if (one.who, one.latency, one.well) == (who, latency, True)]

    def median(self, who: str, latency: str) -> float | None:
        """The median of single orders in seconds, or None when there is none."""
        return statistics.median(found) if (found := self.seconds(who, latency)) else None

    def of(self, who: str, latency: str) -> Many | None:
        """The measurement of many orders, or None when it was not made."""
        return next((one for one in self.many if (one.who, one.latency) == (who, latency)), None)

    def latencies(self) -> list[str]:
        """The latencies of single orders, in the order they were measured."""
        return list(dict.fromkeys(one.latency for one in self.singles))

    def contenders(self) -> dict[str, list[Many]]:
        """The measurements of many orders, by who processed them."""
        found: dict[str, list[Many]] = defaultdict(list)
        for one in self.many:
            found[one.who].append(one)
        return dict(found)

    def save(self, path: Path) -> None:
        """``path`` holds the results as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def p95(seconds: list[float]) -> float:
    """The value that 95 % do not exceed (nearest rank)."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


def read(path: Path) -> Results:
    """The results that ``path`` holds."""
    raw: dict[str, Any] = json.loads(path.read_text())
    raw["singles"] = [Single(**one) for one in raw["singles"]]
    raw["many"] = [Many(**one) for one in raw["many"]]
    raw["memory"] = [Memory(**one) for one in raw["memory"]]
    raw["findings"] = [Finding(**one) for one in raw.get("findings", [])]
    raw["accepted"] = [Accepted(**one) for one in raw.get("accepted", [])]
    raw["scraped"] = [Scraped(**one) for one in raw.get("scraped", [])]
    raw["applied"] = [Applied(**one) for one in raw.get("applied", [])]
    return Results(**raw)
