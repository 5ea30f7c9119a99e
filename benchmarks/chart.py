"""Draws the picture of docs/performance.md."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.plan import DEFAULT, STOCK_LATENCY
from benchmarks.results import BULK, FLOOR, FLOOR_BULK, GATEWAY, HUB, NO_TASK, SIX_TASKS, STOCK, STOCK_NAMED, Many, Results
from benchmarks.stock_worker import ROLE as STOCK_ROLE

COLOURS = {FLOOR: "#9aa5b1", HUB: "#1f77b4", GATEWAY: "#76b7e5", STOCK_NAMED: "#f0a35e", STOCK: "#d95f02"}
ROLE_COLOURS = {
    "worker": "#1f77b4",
    "prefect-server": "#7a5195",
    "database": "#2ca02c",
    "sandbox": "#9aa5b1",
    "gateway": "#76b7e5",
    "the program": "#f0a35e",
}
SIZE_INCHES, DOTS_PER_INCH = (12, 9), 110


class NoPlottingLibrary(Exception):
    """There is nothing to draw with."""

    def __str__(self) -> str:
        return "no picture: matplotlib is not installed; `make bench` installs it with the rest of requirements.lock"


def draw(results: Results, path: Path) -> None:
    """
    ``path`` shows ``results`` as four pictures in one PNG.

    Raises:
        NoPlottingLibrary: matplotlib is not installed.
    """
    try:
        matplotlib = importlib.import_module("matplotlib")
        matplotlib.use("Agg")
        plot = importlib.import_module("matplotlib.pyplot")
    except ImportError as missing:
        raise NoPlottingLibrary from missing
    figure, ((one, many), (cpu, memory)) = plot.subplots(2, 2, figsize=SIZE_INCHES, layout="constrained")
    _one_at_a_time(one, results)
    _rates(many, results)
    _processor(cpu, results)
    _memory(memory, results)
    for axes in (one, many, cpu, memory):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    note = " (a quick run: shape, not values)" if results.plan == "quick" else ""
    figure.suptitle(f"Integration Hub on {results.machine['cores']} cores{note}")
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    plot.close(figure)


def _one_at_a_time(axes: Any, results: Results) -> None:
    latencies = [latency for latency in results.latencies() if latency != "warm-up"]
    width = 0.8 / len(COLOURS)
    for place, (who, colour) in enumerate(COLOURS.items()):
        found = [(at + (place - 2) * width, seconds) for at, name in enumerate(latencies) if (seconds := results.median(who, name))]
        bars = axes.bar([at for at, _ in found], [seconds for _, seconds in found], width, color=colour, label=_title(who))
        axes.bar_label(bars, fmt="%.2g", fontsize=6, rotation=90, padding=2)
    axes.set_yscale("log")
    axes.set_xticks(range(len(latencies)), [name if name == DEFAULT else f"{name} ms" for name in latencies])
    axes.set_xlabel("latency of each provider")
    axes.set_ylabel("seconds, logarithmic")
    axes.set_title("One order at a time, median")
    axes.legend(fontsize=7, loc="upper center", ncols=2)
    axes.set_ylim(top=1000)


def _rates(axes: Any, results: Results) -> None:
    shown = _chosen(results, (FLOOR_BULK, FLOOR, BULK, NO_TASK, SIX_TASKS, HUB, STOCK_NAMED, STOCK))
    bars = axes.barh([_label(one) for one in reversed(shown)], [one.rate for one in reversed(shown)], color="#1f77b4")
    axes.bar_label(bars, fmt="%.2g", fontsize=8, padding=2)
    axes.set_xscale("log")
    axes.set_xlabel("orders a second, logarithmic")
    axes.set_title("Many orders at once")
    axes.margins(x=0.2)


def _processor(axes: Any, results: Results) -> None:
    shown = _chosen(results, (FLOOR, BULK, NO_TASK, SIX_TASKS, HUB))
    labels = [_label(one) for one in reversed(shown)]
    left = [0.0] * len(shown)
    for role, colour in ROLE_COLOURS.items():
        seconds = [one.cpu_per_order.get(role, 0.0) for one in reversed(shown)]
        axes.barh(labels, seconds, left=left, color=colour, label=role)
        left = [sofar + more for sofar, more in zip(left, seconds, strict=True)]
    stock = [
        f"{sum(one.cpu_per_order.get(role, 0.0) for role in (*ROLE_COLOURS, STOCK_ROLE)):.0f}"
        for one in _chosen(results, (STOCK, STOCK_NAMED))
    ]
    axes.set_xlabel(f"CPU-seconds of one order (stock worker: {' or '.join(stock)})")
    axes.set_title("Where the processor time goes")
    axes.legend(fontsize=7)


def _memory(axes: Any, results: Results) -> None:
    orders = [sample.orders for sample in results.memory]
    layers = {role: [sample.mb.get(role, 0.0) for sample in results.memory] for role in ROLE_COLOURS if role in results.memory[0].mb}
    axes.stackplot(orders, *layers.values(), labels=list(layers), colors=[ROLE_COLOURS[role] for role in layers])
    axes.set_xlabel("orders processed")
    axes.set_ylabel("MB")
    axes.set_title("Memory of the whole stack")
    axes.legend(fontsize=7, loc="lower right")


def _chosen(results: Results, contenders: tuple[str, ...]) -> list[Many]:
    found = results.contenders()
    return [one for who in contenders for one in found.get(who, []) if one.latency == STOCK_LATENCY or who in (NO_TASK, SIX_TASKS)]


def _label(one: Many) -> str:
    return f"{_title(one.who)}, {one.latency} ms"


def _title(who: str) -> str:
    return {
        FLOOR_BULK: "floor, 25 at once",
        GATEWAY: "hub, through the gateway",
        STOCK: "stock worker",
        STOCK_NAMED: "stock worker,\ncommand named",
    }.get(who, who)
