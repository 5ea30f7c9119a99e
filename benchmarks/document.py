"""Writes the measured part of docs/performance.md, between its two markers; what people wrote around it stays."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path

from benchmarks.plan import DEFAULT, STOCK_LATENCY
from benchmarks.results import (
    ADDED_UP,
    BARE_DOOR,
    BULK,
    COUNTED,
    DOOR,
    FLOOR,
    FLOOR_BULK,
    GATEWAY,
    HEALTH,
    HUB,
    LONG,
    NO_TASK,
    SHORT,
    SIX_TASKS,
    STOCK,
    STOCK_NAMED,
    UNCOUNTED,
    Accepted,
    Many,
    Results,
    p95,
)
from benchmarks.stock_worker import ROLE as STOCK_ROLE
from benchmarks.usage import OURSELVES

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SINGLES = {
    FLOOR: "floor: the five provider calls",
    HUB: "hub: API call → run over",
    GATEWAY: "hub: `PUT` → confirmed",
    STOCK_NAMED: "stock worker, command named",
    STOCK: "stock worker",
}
ROLES = ("worker", STOCK_ROLE, "prefect-server", "database", "sandbox", "gateway", "the program", OURSELVES)
FIRST_ORDERS = 500


def write_tables(results: Results, document: Path) -> None:
    """
    The part of ``document`` between the markers shows ``results``.

    Raises:
        ValueError: There are no two markers.
    """
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document.name} has no part between {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{tables(results)}\n{END}{after}")


def tables(results: Results) -> str:
    """All that was measured, as Markdown."""
    parts = [
        _about(results),
        _ratios(results),
        _singles(results),
        _rates(results),
        _spent(results),
        _cpu(results),
        _memory(results),
        _accepted(results),
        _applied(results),
        _scraped(results),
        _troubles(results),
        _starts(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _about(results: Results) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in results.machine.items())
    quick = "**A `--quick` run with small numbers: it shows the shape, not the values. Mind the load below.**\n\n"
    effects = ", ".join(f"{name}: {number}" for name, number in results.effects.items())
    news = "".join(f"\n- {line}" for line in results.news)
    return (
        f"{quick if results.plan == 'quick' else ''}Measured {results.began} in {results.took_seconds / 60:.0f} min. {machine}.\n"
        f"{results.orders} orders in all; at the providers, {effects}.{f' Not as planned:{news}' if news else ' Nothing failed.'}"
    )


def _ratios(results: Results) -> str:
    lines: list[tuple[str, str]] = []
    for stock in (STOCK, STOCK_NAMED):
        theirs, ours = results.median(stock, "0"), results.median(HUB, "0")
        if theirs and ours:
            lines.append((f"API call → run over at 0 ms: {SINGLES[stock]} / hub", f"{theirs / ours:.0f} times faster"))
        slow, fast = results.of(stock, STOCK_LATENCY), results.of(HUB, STOCK_LATENCY)
        if slow and fast and slow.well:
            lines.append((f"many API calls at {STOCK_LATENCY} ms: hub / {SINGLES[stock]}", f"{fast.rate / slow.rate:.0f} times the rate"))
            bulk = results.of(BULK, STOCK_LATENCY)
            if bulk:
                lines.append((f"bulk run at {STOCK_LATENCY} ms / {SINGLES[stock]}", f"{bulk.rate / slow.rate:.0f} times the rate"))
            lines.append((f"CPU-seconds per order: {SINGLES[stock]} / hub", f"{_sum(slow) / _sum(fast):.0f} times"))
    for many, floor in ((HUB, FLOOR), (BULK, FLOOR_BULK)):
        ours_many, bare = results.of(many, STOCK_LATENCY), results.of(floor, STOCK_LATENCY)
        if ours_many and bare:
            lines.append((f"{many} / {floor}, rate at {STOCK_LATENCY} ms", f"{ours_many.rate / bare.rate:.2f}"))
    return "### Ratios\n\n" + _table(["", "ratio"], lines) if lines else ""


def _singles(results: Results) -> str:
    latencies = [latency for latency in results.latencies() if latency != "warm-up"]
    if not latencies:
        return ""
    head = ["one order at a time", *(f"{latency} ms" if latency != DEFAULT else "default latencies" for latency in latencies)]
    rows = []
    for who, title in SINGLES.items():
        cells = []
        for latency in latencies:
            found = results.seconds(who, latency)
            cells.append(f"{results.median(who, latency):.3g} / {p95(found):.3g} ({len(found)})" if found else "-")
        rows.append((title, *cells))
    return "### One order at a time\n\nMedian / 95th percentile in seconds, (how many).\n\n" + _table(head, rows)


def _rates(results: Results) -> str:
    rows = []
    for who, found in results.contenders().items():
        for one in found:
            row = (who, f"{one.latency} ms", str(one.orders), f"{one.seconds:.1f}", f"{one.rate:.2f}", f"{_sum(one):.3f}")
            rows.append((*row, _extrapolated(one, results)))
    head = ["who", "latency", "orders", "seconds", "a second", "CPU-seconds each", ""]
    if not rows:
        return ""
    return "### Many orders at once\n\n" + _table(head, rows)


def _extrapolated(one: Many, results: Results) -> str:
    ours = results.of(HUB, STOCK_LATENCY)
    if one.who not in (STOCK, STOCK_NAMED) or ours is None or not one.well:
        return ""
    return f"extrapolated: {ours.orders} orders would take {ours.orders / one.rate:.0f} s"


def _spent(results: Results) -> str:
    """What an order pays for, as differences between contenders that do a little more each."""
    empty, tasks = results.of(NO_TASK, "0"), results.of(SIX_TASKS, "0")
    order, bulk, bare = (results.of(who, STOCK_LATENCY) for who in (HUB, BULK, FLOOR))
    if not (empty and tasks and order and bulk and bare):
        return ""
    paid = (
        ("the provider calls, both ends (floor)", _sum(bare)),
        ("our ledger, claims and SDKs: bulk run - floor", _sum(bulk) - _sum(bare)),
        ("a flow run of its own: empty flow", _sum(empty)),
        ("six task runs: empty flow with six tasks - empty flow", _sum(tasks) - _sum(empty)),
        ("what is left: timeline artifact, larger parameters, logs, queueing", _sum(order) - _sum(bulk) - _sum(tasks)),
        ("an order with a run of its own", _sum(order)),
    )
    rows = [(what, f"{1000 * seconds:.0f}", f"{seconds / _sum(order):.0%}") for what, seconds in paid]
    return "### What an order pays for\n\n" + _table([f"at {STOCK_LATENCY} ms", "CPU-milliseconds", "share"], rows)


def _cpu(results: Results) -> str:
    chosen = [one for who in (HUB, SIX_TASKS, NO_TASK, BULK, STOCK, STOCK_NAMED, FLOOR) for one in results.contenders().get(who, [])]
    shown = [one for one in chosen if one.latency in (STOCK_LATENCY, "0") and (one.who not in (HUB, BULK) or one.latency == STOCK_LATENCY)]
    roles = [role for role in ROLES if any(role in one.cpu for one in shown)]
    rows = [(f"{one.who}, {one.latency} ms", *(_milli(one, role) for role in roles)) for one in shown]
    idle = ", ".join(f"{role} {share:.1%}" for role, share in results.idle_cpu.items() if role != OURSELVES)
    text = f"At rest, in shares of one core: {idle}." if idle else ""
    table = "CPU-milliseconds of one order by process.\n\n" + _table(["", *roles], rows) if rows else ""
    return "\n\n".join(["### Where the processor time goes", *filter(None, (text, table))]) if text or table else ""


def _milli(one: Many, role: str) -> str:
    return f"{1000 * one.cpu_per_order[role]:.1f}" if role in one.cpu else "-"


def _memory(results: Results) -> str:
    roles = [role for role in ROLES if any(role in sample.mb for sample in results.memory) and role != STOCK_ROLE]
    rows = []
    for sample in results.memory:
        ours = [sample.mb[role] for role in roles]
        rows.append((str(sample.orders), sample.after, *(f"{mb:.0f}" for mb in ours), f"{sum(ours):.0f}"))
    settled = [sample for sample in results.memory if sample.orders >= FIRST_ORDERS]
    if len(settled) > 1:
        first, last = settled[0].mb, settled[-1].mb
        whole = sum(last[role] for role in roles) / sum(first[role] for role in roles)
        cells = (f"{last[role] / first[role] - 1:+.0%}" for role in roles)
        rows.append(("growth", f"from {settled[0].orders} to {settled[-1].orders} orders", *cells, f"{whole - 1:+.1%}"))
    return "### Memory\n\nMegabytes; shared pages count once.\n\n" + _table(["orders", "after", *roles, "all"], rows)


def _accepted(results: Results) -> str:
    rows = []
    for worker_runs, when in ((False, "worker stopped"), (True, "worker handles them")):
        bare, ours = ([one for one in results.accepted if (one.who, one.worker_runs) == (who, worker_runs)] for who in (BARE_DOOR, DOOR))
        for who, rounds in ((BARE_DOOR, bare), (DOOR, ours)):
            if rounds:
                ratio = statistics.median(one.rate / beside.rate for one, beside in zip(rounds, bare, strict=True))
                rows.append((f"{who}, {when}", *_crowd(rounds), f"{ratio:.2f}"))
    head = ["50 connections", "accepted a second", "median, ms", "p99 of the worst round, ms", "longest, ms", "of the bare rate"]
    handled = f"\n\nWhat was kept while there was no worker was then handled at {results.handled_a_second:.0f} a second."
    return "### Webhooks accepted\n\n" + _table(head, rows) + handled if rows else ""


def _crowd(rounds: list[Accepted]) -> tuple[str, ...]:
    rates = [one.rate for one in rounds]
    usual = statistics.median(one.median_seconds for one in rounds)
    worst = (max(one.p99_seconds for one in rounds), max(one.longest_seconds for one in rounds))
    spread = f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}, {len(rates)} rounds)"
    return spread, *(f"{1000 * seconds:.0f}" for seconds in (usual, *worst))


def _applied(results: Results) -> str:
    rows = []
    for one in results.applied:
        took = (statistics.median(one.seconds), p95(one.seconds), max(one.seconds))
        rows.append((one.load, str(len(one.seconds)), *(f"{seconds:.2f}" for seconds in took)))
    head = ["from a provider's call to its fact applied", "webhooks", "median, s", "p95, s", "longest, s"]
    return "### Webhooks applied\n\n" + _table(head, rows) if rows else ""


def _scraped(results: Results) -> str:
    rows = []
    for who, beside in ((SHORT, SHORT), (LONG, SHORT), (ADDED_UP, LONG), (HEALTH, LONG), (UNCOUNTED, UNCOUNTED), (COUNTED, UNCOUNTED)):
        found, others = ([one for one in results.scraped if one.who == which] for which in (who, beside))
        if found and others:
            took, theirs = ([seconds for one in measured for seconds in one.seconds] for measured in (found, others))
            ratio = f"{statistics.median(took) / statistics.median(theirs):.2f} of {beside}" if who != beside else ""
            numbers = (f"{1000 * value:.2f}" for value in (statistics.median(took), p95(took), max(took)))
            rows.append((who, f"{found[-1].effects}", *numbers, ratio))
    head = ["", "effects in the ledger", "median, ms", "p95, ms", "longest, ms", "ratio of medians"]
    return "### Scrapes\n\n" + _table(head, rows) if rows else ""


def _troubles(results: Results) -> str:
    rows = [(one.trouble, one.what, f"{one.value:g} {one.unit}".rstrip()) for one in results.findings]
    return "### When something goes wrong\n\n" + _table(["trouble", "what was measured", ""], rows) if rows else ""


def _starts(results: Results) -> str:
    if not results.starts:
        return ""
    rows = [(name, f"{seconds:.1f}") for name, seconds in results.starts.items()]
    return "### Start\n\n" + _table(["until everything is ready", "seconds"], rows)


def _sum(many: Many) -> float:
    """CPU-seconds of one order, without this program and without the worker that only stood by."""
    bystander = "worker" if many.who in (STOCK, STOCK_NAMED) else STOCK_ROLE
    return sum(seconds for role, seconds in many.cpu_per_order.items() if role not in (OURSELVES, bystander))


def _table(head: list[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
