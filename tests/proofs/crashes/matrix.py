"""
The crash matrix: orders, sign-ups and releases are struck at every moment of their processes; everything is done once all the same.

``python -m tests.proofs.crashes``; ``make crash-matrix``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from deployments.supervisor import Say
from tests.proofs.crashes.cells import Cell, batches, first_strikes, own_moments, second_strikes
from tests.proofs.crashes.proof import NOT_MET, Proof, Result, proving
from tests.proofs.crashes.scenarios import SCENARIOS
from tests.proofs.crashes.strikes import Strike

SIZE = 24
"""So many orders, sign-ups and releases one strike meets at most; never fewer than 20, but in a last batch."""


@dataclass
class Matrix:
    """All that was struck, and what came of it. ``said``: the processes that were killed or stood still."""

    results: list[Result] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def met(self) -> list[Result]:
        """The cells that were struck at their moment."""
        return [one for one in self.results if one.outcome != NOT_MET]

    @property
    def troubles(self) -> list[str]:
        """What is not as it has to be."""
        return [f"{one.cell.subject} ({one.cell.title}; {one.cell.strike}): {', '.join(one.wrong)}" for one in self.results if one.wrong]


async def whole(strikes: Collection[Strike], say: Say) -> Matrix:
    """Strike everything with each of these, and again while it recovers from a killed worker."""
    matrix, began = Matrix(), time.monotonic()
    async with proving(_remembering(matrix, say)) as proof:
        traces = await proof.watch(SCENARIOS)
        first = proof.cells(one for one in first_strikes(own_moments(traces)) if one[2] in strikes)
        say(f"{len(first)} cells, and those of the recoveries")
        await _strike_all(proof, first, matrix, say)
        again = proof.cells(second_strikes(proof.recoveries, traces))
        say(f"{len(again)} cells of recoveries")
        await _strike_all(proof, again, matrix, say)
    matrix.seconds = time.monotonic() - began
    return matrix


async def sample(strikes: Sequence[Strike], size: int, seed: int, say: Say) -> Matrix:
    """
    Strike ``size`` moments with each of these, chosen by ``seed``; none that may end with a person, which takes long.

    Other tests keep the machine busy meanwhile, so nobody loses patience with what is unknown.
    """
    matrix, chosen = Matrix(), random.Random(seed)  # noqa: S311 - a sample, no secret
    async with proving(_remembering(matrix, say), unknown_seconds=900) as proof:
        moments = own_moments(await proof.watch(SCENARIOS))
        for strike in strikes:
            possible = [one for one in first_strikes(moments) if one[2] is strike]
            cells = [cell for cell in proof.cells(possible) if not cell.may_be_a_lost_mail]
            matrix.results += await proof.struck(chosen.sample(cells, size))
    return matrix


async def _strike_all(proof: Proof, cells: Sequence[Cell], matrix: Matrix, say: Say) -> None:
    for batch in batches(cells, SIZE):
        began = time.monotonic()
        results = await proof.struck(batch)
        matrix.results += results
        say(f"{batch[0].strike}: {len(batch)} cells in {time.monotonic() - began:.0f} s; {len(matrix.results)} so far")
        for one in results:
            if one.wrong:
                say(f"  {one.cell.subject} ({one.cell.title}): {', '.join(one.wrong)}")


def _remembering(matrix: Matrix, say: Say) -> Say:
    def both(text: str) -> None:
        matrix.said.append(text)
        say(text)

    return both
