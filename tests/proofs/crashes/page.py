"""The crash matrix as a page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from tests.proofs.crashes.matrix import SIZE, Matrix
from tests.proofs.crashes.proof import SETTINGS, SWEEP_SECONDS, Result
from tests.proofs.crashes.strikes import Strike
from tests.proofs.crashes.verdicts import NEEDS_ATTENTION


def written(matrix: Matrix) -> str:
    """Return the page: what was struck, what came of it by strike, and every cell."""
    results, left_out = matrix.met, len(matrix.results) - len(matrix.met)
    killed = sum(text.startswith("killed") for text in matrix.said)
    lines = [
        "# The crash matrix",
        "",
        (
            f"Written by `make crash-matrix` on {datetime.now(UTC):%Y-%m-%d}: {len(results)} cells in {matrix.seconds / 60:.0f} minutes, "
            f"{killed} times kill -9, {len(matrix.troubles)} cells red."
        ),
        "",
        "A cell is an order, a sign-up or a release that is held at one moment of its process when something strikes. The moments come",
        "from the flows themselves: each scenario runs once in calm weather, triggers write down every commit of the ledger and the",
        "sandbox every request, and each of these is a moment: right before the commit, after the commit and before the first byte, at",
        f"the provider, and done but unanswered. One strike meets up to {SIZE} cells. The lease is {SETTINGS['lease_seconds']} s, a sweep",
        f"comes {SWEEP_SECONDS} s after the last, and what nobody knows for {SETTINGS['unknown_seconds']} s is a person's. Webhooks are",
        "withheld until everything is over, but SendGrid's, which nobody can ask. *Once* means that the providers have done what they do",
        "in calm weather, neither more nor less, and that nothing is left open.",
        *(
            [f"Not counted: {left_out} subjects that did not come to their moment, because steps side by side change places."]
            * bool(left_out)
        ),
        "",
        "| strike | cells | once | needs attention | red | seconds until over: median, most |",
        "|---|---|---|---|---|---|",
        *(_summary(title, ones) for title, ones in _by_strike(results)),
        "",
        "*Needs attention* is only for a mail that was in flight when its process died or stood still: SendGrid cannot be asked what",
        "came of it, so it is not sent twice, and a person says what SendGrid's activity shows (`hub order resolve`).",
        "",
    ]
    for title, ones in _by_scenario(results):
        lines += [f"## {title}", "", "| moment | " + " | ".join(Strike) + " |", "|---|" + "---|" * len(Strike), *_rows(ones), ""]
    return "\n".join(lines)


def _by_strike(results: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    groups: dict[str, list[Result]] = {}
    for one in results:
        again = len(one.cell.moments) > 1
        groups.setdefault(f"{one.cell.strike}, and again while it recovers" if again else str(one.cell.strike), []).append(one)
    return [*groups.items(), ("all", list(results))]


def _summary(title: str, ones: list[Result]) -> str:
    attention = sum(one.outcome == NEEDS_ATTENTION for one in ones)
    red = sum(bool(one.wrong) for one in ones)
    seconds = sorted(one.seconds for one in ones)
    once = len(ones) - attention - sum(bool(one.wrong) and one.outcome != NEEDS_ATTENTION for one in ones)
    return f"| {title} | {len(ones)} | {once} | {attention} | {red} | {seconds[len(seconds) // 2]:.0f}, {seconds[-1]:.0f} |"


def _by_scenario(results: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    groups: dict[str, list[Result]] = {}
    for one in results:
        again = ", and again while it recovers" if len(one.cell.moments) > 1 else ""
        groups.setdefault(f"{one.cell.scenario.kind}: {one.cell.scenario.name}{again}", []).append(one)
    return list(groups.items())


def _rows(ones: Iterable[Result]) -> list[str]:
    """One row a moment, one column a strike: what came of it, and after how many seconds."""
    cells: dict[str, dict[Strike, str]] = {}
    counted: Counter[tuple[str, Strike]] = Counter()
    for one in ones:
        counted[one.cell.title, one.cell.strike] += 1
        nth = counted[one.cell.title, one.cell.strike]
        title = one.cell.title if nth == 1 else f"{one.cell.title} ({nth})"
        verdict = "**red**" if one.wrong else one.outcome
        cells.setdefault(title, {})[one.cell.strike] = f"{verdict}, {one.seconds:.0f} s"
    return [f"| {title} | " + " | ".join(by.get(strike, "") for strike in Strike) + " |" for title, by in cells.items()]
