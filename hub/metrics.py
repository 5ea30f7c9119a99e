"""
What can be measured: every metric with its labels, and its values, computed from the rows whenever somebody asks.

No label holds anything of a customer. Ages are in database time. A value that is missing from a metric is nought.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from hub import gauges
from hub.database import transaction
from hub.effects import STEPS
from hub.gate_views import PROVIDERS, gates
from hub.tallies import AUDIT, BOUNDS, CALL, DUPLICATE, NOTICE, RETRY, SUBJECT, tallies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.tallies import Tally

GATE_STATES = ("open", "closed", "paused")
OUTCOMES = ("done", "pending", "refused", "not_sent", "rate_limited", "misconfigured", "unknown")
NEVER_ANSWERED = ("found", "absent")
"""How a call ends whose answer was lost and that was looked for: nobody knows how long it took."""


@dataclass(frozen=True)
class Metric:
    """One metric; ``name`` is without the prefix ``hub_`` and, for counters, without ``_total``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


@dataclass
class Spread:
    """Durations in seconds: how many fell into each bucket, and their sum."""

    buckets: dict[float, int] = field(default_factory=lambda: dict.fromkeys(BOUNDS, 0))
    seconds: float = 0.0

    def add(self, tally: Tally) -> None:
        """Take in one bucket's durations."""
        self.buckets[tally.le] += tally.count
        self.seconds += tally.total

    def cumulative(self) -> list[tuple[float, int]]:
        """Return for each upper bound how many took no longer."""
        return list(zip(self.buckets, accumulate(self.buckets.values()), strict=True))


CALLS = Metric("provider_calls", "counter", "Calls and looks that ended, by outcome.", ("provider", "action", "kind", "outcome"))
DURATION = Metric(
    "provider_call_duration_seconds",
    "histogram",
    "How long calls and looks took, from their intent to their outcome; without calls whose answer was lost.",
    ("provider", "action", "kind"),
)
RETRIES = Metric("provider_retries", "counter", "Ended calls that were not the first for their effect.", ("provider", "action"))
LIMIT_WAITS = Metric("provider_rate_limit_wait_seconds", "histogram", "Waits for our own limit of calls a second.", ("provider",))
DUPLICATES = Metric("provider_duplicates", "counter", "Effects that a provider was found to have done twice.", ("provider", "action"))
GATE = Metric("provider_gate_state", "gauge", "1 for the state in which the provider's gate is.", ("provider", "state"))
EFFECTS = Metric("provider_open_effects", "gauge", "Effects that are intended, pending or unknown.", ("provider", "action", "state"))
IN_FLIGHT = Metric("provider_calls_in_flight", "gauge", "Calls whose end is not recorded.", ("provider", "action"))
UNANSWERED = Metric(
    "provider_unanswered_age_seconds", "gauge", "Age of the oldest call of which nobody knows what came.", ("provider", "action")
)
BACKLOG = Metric("inbox_backlog", "gauge", "Notices that are still to be handled, or early.", ("provider", "state"))
BACKLOG_AGE = Metric("inbox_backlog_age_seconds", "gauge", "Age of the oldest such notice.", ("provider", "state"))
NOTICES = Metric("inbox_notices", "counter", "Notices that ended, by how.", ("provider", "state"))
HANDLING = Metric("inbox_handling_seconds", "histogram", "From the receipt of a notice until it was applied.", ("provider",))
STUCK = Metric("inbox_stuck_notices", "gauge", "Notices that wait for a person.", ("provider", "state"))
DOOR = Metric("inbox_refused_deliveries", "counter", "Deliveries that were not surely the provider's.", ("provider",))
SUBJECTS = Metric("subjects", "gauge", "Orders, sign-ups and their like, by status.", ("kind", "status"))
PARKED = Metric("subjects_parked", "gauge", "Subjects that go on by themselves later.", ("kind",))
DUE = Metric("subjects_due", "gauge", "Subjects that are due and in nobody's hands.", ("kind",))
DUE_AGE = Metric("subjects_due_age_seconds", "gauge", "For how long the first of them has been due.", ("kind",))
ATTENTION = Metric("subjects_needing_attention", "gauge", "Subjects that wait for a person.", ("kind",))
AUDIT_ENTRIES = Metric("payment_audit_entries", "counter", "Entries of the payment audit log.", ("operation", "currency"))
MONEY = Metric("payment_amount_minor_units", "counter", "Money in them, in minor units of the currency.", ("operation", "currency"))
BROKEN = Metric("payment_audit_broken_chains", "gauge", "Broken chains of the audit log when it was last followed; absent before.")
CHECK_AGE = Metric("payment_audit_check_age_seconds", "gauge", "How long ago that was; absent before.")

METRICS: tuple[Metric, ...] = (
    *(CALLS, DURATION, RETRIES, LIMIT_WAITS, DUPLICATES, GATE, EFFECTS, IN_FLIGHT, UNANSWERED),
    *(BACKLOG, BACKLOG_AGE, NOTICES, HANDLING, STUCK, DOOR),
    *(SUBJECTS, PARKED, DUE, DUE_AGE, ATTENTION),
    *(AUDIT_ENTRIES, MONEY, BROKEN, CHECK_AGE),
)

Values = dict[tuple[str, ...], float]
Spreads = dict[tuple[str, ...], Spread]


@dataclass(frozen=True)
class Measured:
    """All values of one moment: numbers of counters and gauges, spreads of histograms, by metric and label values."""

    numbers: dict[Metric, Values]
    spreads: dict[Metric, Spreads]


async def measure() -> Measured:
    """Compute every metric from the rows; none of it reads all of history."""
    numbers: dict[Metric, Values] = {metric: {} for metric in METRICS if metric.kind != "histogram"}
    spreads: dict[Metric, Spreads] = {metric: defaultdict(Spread) for metric in METRICS if metric.kind == "histogram"}
    for metric in (RETRIES, DUPLICATES, IN_FLIGHT, UNANSWERED):  # so that a first time is seen as a rise from nought
        numbers[metric] |= dict.fromkeys(_actions(), 0.0)
    numbers[CALLS] |= {(*action, "call", outcome): 0.0 for action in _actions() for outcome in OUTCOMES}
    numbers[DOOR] |= dict.fromkeys(((provider,) for provider in PROVIDERS), 0.0)
    async with transaction() as session:
        counted, open_now = await tallies(session), await gauges.look(session)
    _take_in(counted, numbers, spreads)
    for metric in numbers:
        numbers[metric] |= open_now.get(metric.name, {})
    for gate in await gates():
        numbers[GATE] |= {(gate.provider, state): float(gate.state == state) for state in GATE_STATES}
    return Measured(numbers, spreads)


def _take_in(found: Iterable[Tally], numbers: dict[Metric, Values], spreads: dict[Metric, Spreads]) -> None:
    counts = {CALL: CALLS, RETRY: RETRIES, DUPLICATE: DUPLICATES, NOTICE: NOTICES, AUDIT: AUDIT_ENTRIES}
    totals = {SUBJECT: SUBJECTS, AUDIT: MONEY}
    for one in found:
        for values, amount in ((counts, one.count), (totals, one.total)):
            if one.name in values:
                mine = numbers[values[one.name]]
                mine[one.labels] = mine.get(one.labels, 0) + amount
        match one.name, one.labels:
            case "call", (provider, action, kind, outcome) if kind == "look" or outcome not in NEVER_ANSWERED:
                spreads[DURATION][provider, action, kind].add(one)
            case "notice", (provider, "handled"):
                spreads[HANDLING][provider,].add(one)
            case "limited", labels:
                spreads[LIMIT_WAITS][labels].add(one)


def _actions() -> set[tuple[str, ...]]:
    """Return provider and action of every step there is."""
    return {(step.provider, step.action) for steps in STEPS.values() for step in steps.values()}
