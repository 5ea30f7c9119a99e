"""What a storm was, as a page for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.proofs.storm import Outcome


def written(outcome: Outcome) -> str:
    """Return the page."""
    plan = outcome.plan
    rows = [
        ("orders", f"{plan.orders}"),
        ("distinct notices", f"{outcome.distinct:,}"),
        ("deliveries answered with 2xx", f"{outcome.delivered:,} (a notice 1 to {plan.most} times, SendGrid's in arrays)"),
        ("of them duplicates", f"{outcome.delivered - outcome.distinct:,}"),
        ("HTTP requests", f"{outcome.requests:,}, {outcome.repeated:,} of them repeated because the door was dead or had no database"),
        ("before the answer of the call that caused them", f"{outcome.early:,} notices, {outcome.early / max(outcome.distinct, 1):.0%}"),
        *(
            (f"kill -9 of the {one.role}", f"pids {one.pids} after {one.delivered:,} deliveries; back after {one.back_after_seconds:.1f} s")
            for one in outcome.kills
        ),
        (
            "the storm took",
            f"{outcome.seconds:.0f} s, {outcome.delivered / max(outcome.seconds, 1):.0f} deliveries/s with all work that follows",
        ),
        ("an order of every kind in calm weather, to compare with", f"{outcome.calm_seconds:.0f} s"),
        ("differences", f"{len(outcome.troubles)}"),
    ]
    return "\n".join(
        [
            "# The storm",
            "",
            f"Written by `make storm` on {datetime.now(UTC):%Y-%m-%d}, seed {plan.seed}.",
            "",
            "| what | how much |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
        ]
    )
