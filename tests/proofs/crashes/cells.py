"""The cells of the matrix: every moment of every scenario, with everything that may strike then; and again while the hub recovers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.proofs.crashes.moments import Moment, Where
from tests.proofs.crashes.scenarios import Scenario
from tests.proofs.crashes.strikes import Strike


@dataclass(frozen=True)
class Cell:
    """One order or sign-up that is struck at ``moments``, one after the other. ``number`` makes its id."""

    number: int
    scenario: Scenario
    moments: tuple[Moment, ...]
    strike: Strike

    @property
    def subject(self) -> str:
        return self.scenario.subject(str(self.number))

    @property
    def may_be_a_lost_mail(self) -> bool:
        """Tell whether this may end with a person who is asked about a mail, which takes longest."""
        return any(_is_a_lost_mail(moment) for moment in self.moments)

    @property
    def title(self) -> str:
        return ", then ".join(moment.title for moment in self.moments)


def _is_a_lost_mail(moment: Moment) -> bool:
    """A mail's attempt is committed, and SendGrid does not have it, or nobody has noted that it has."""
    return "mail" in moment.what and moment.where in (Where.SEND, Where.COMMIT) and "begins" not in moment.what


def own_moments(traces: Mapping[Scenario, Sequence[Moment]]) -> dict[Scenario, list[Moment]]:
    """Leave out, of each scenario, the moments that it shares with an earlier one of the same kind."""
    known: set[tuple[str, Moment]] = set()
    found = {}
    for scenario, moments in traces.items():
        found[scenario] = [moment for moment in dict.fromkeys(moments) if (scenario.kind, moment) not in known]
        known |= {(scenario.kind, moment) for moment in moments}
    return found


def first_strikes(moments: Mapping[Scenario, Iterable[Moment]]) -> list[tuple[Scenario, tuple[Moment, ...], Strike]]:
    """Return every moment with every strike."""
    return [(scenario, (moment,), strike) for strike in Strike for scenario, ones in moments.items() for moment in ones]


def second_strikes(
    recoveries: Mapping[Cell, Iterable[Moment]], traces: Mapping[Scenario, Iterable[Moment]]
) -> list[tuple[Scenario, tuple[Moment, ...], Strike]]:
    """
    Return every moment that only a recovery comes through, after the strike that led to it.

    Recoveries take their time, each its own, and nobody may be kept by a provider until the last has come (``HELD_AT_MOST_SECONDS``).
    """
    known = {(scenario.kind, moment) for scenario, moments in traces.items() for moment in moments}
    found = []
    for cell, moments in recoveries.items():
        if cell.strike is not Strike.WORKER or len(cell.moments) > 1:
            continue
        for moment in moments:
            if (cell.scenario.kind, moment) not in known and moment.where is not Where.ARRIVED:
                known.add((cell.scenario.kind, moment))
                found.append((cell.scenario, (*cell.moments, moment), Strike.WORKER))
    return found


def batches(cells: Sequence[Cell], size: int) -> list[list[Cell]]:
    """Return the cells in batches that are struck at once: of the same strike and depth; those that a person may wait for together."""
    groups: dict[tuple[Strike, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.strike, len(cell.moments)), []).append(cell)
    found = []
    for group in groups.values():
        group.sort(key=lambda cell: cell.may_be_a_lost_mail)
        count = -(-len(group) // size)
        cuts = [round(len(group) * part / count) for part in range(count + 1)]
        found += [group[start:end] for start, end in itertools.pairwise(cuts)]
    return found
