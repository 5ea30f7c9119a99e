"""A hub under proof: its processes are watched in calm weather, and struck at the moments that were seen."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deployments.supervisor import Say
from tests.journeys.hub_under_test import Hub, running_hub, until
from tests.proofs.crashes.cells import Cell
from tests.proofs.crashes.moments import Holds, Moment, moments_of, watch_changes
from tests.proofs.crashes.scenarios import Scenario
from tests.proofs.crashes.strikes import TIMEOUT_SECONDS, Strike, Ward
from tests.proofs.crashes.verdicts import End, ends, is_over, wrong
from tests.proofs.unfinished import told_of

SETTINGS = {
    "lease_seconds": 3,
    "time_scale": 0.05,
    "unknown_seconds": 90,
    "in_hand_seconds": 1,
    "database_connections": 60,
    "release_news_seconds": 86_400,
}
SWEEP_SECONDS = 1
ARRIVE_SECONDS, RECOVER_SECONDS = 60.0, 180.0
HELD_AT_MOST_SECONDS = TIMEOUT_SECONDS - 6.0
"""A provider that keeps a call for longer, and does it then, does it later than it promises: then it happens twice (`hub guarantees`)."""
NOT_MET = "not met"


@dataclass(frozen=True)
class Result:
    """
    What came of a cell. ``wrong``: what is not as it has to be; ``seconds``: from the last strike until it was over.

    ``outcome`` is a status, that it needs attention, or that it was not met: side by side, steps do not come in the same order every time.
    """

    cell: Cell
    outcome: str
    wrong: tuple[str, ...]
    seconds: float


@dataclass
class Proof:
    """
    A hub under proof.

    ``calm``: what comes of each scenario when nothing is struck; ``recoveries``: the moments that cells came through after their strike.
    """

    hub: Hub
    ward: Ward
    holds: Holds
    say: Say
    calm: dict[Scenario, End] = field(default_factory=dict)
    recoveries: dict[Cell, list[Moment]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def watch(self, scenarios: Iterable[Scenario]) -> dict[Scenario, list[Moment]]:
        """Return the moments of each scenario, as one subject of each comes through them in calm weather."""
        subjects = {scenario.subject("calm"): scenario for scenario in scenarios}
        async with self._alive(subjects):
            await self._until_over(subjects)
        async with self.hub.database() as database:
            found = await ends(self.hub, database)
            unfinished = {subject: found[subject] for subject, scenario in subjects.items() if not is_over(found[subject], scenario)}
            assert not unfinished, f"in calm weather: {unfinished}"
            self.calm |= {scenario: found[subject] for subject, scenario in subjects.items()}
            return {scenario: await moments_of(self.hub, database, subject) for subject, scenario in subjects.items()}

    def cells(self, of: Iterable[tuple[Scenario, tuple[Moment, ...], Strike]]) -> list[Cell]:
        """Return cells with numbers of their own."""
        return [Cell(next(self.numbers), *one) for one in of]

    async def struck(self, batch: Sequence[Cell]) -> list[Result]:
        """Strike all cells of the batch, which have the same strike and as many moments, and judge what came of them."""
        subjects, strike = {cell.subject: cell.scenario for cell in batch}, batch[0].strike
        missed: set[str] = set()
        for cell in batch:
            await self.holds.hold(cell.subject, cell.moments[0])
        async with self._alive(subjects):
            for turn in range(len(batch[0].moments)):
                missed |= await self._all_held(set(subjects), ARRIVE_SECONDS if turn else HELD_AT_MOST_SECONDS)
                await self.ward.strike(strike)
                struck_at = time.time()
                await self.holds.let_go()
                if turn + 1 < len(batch[0].moments):
                    for cell in batch:
                        await self.holds.hold(cell.subject, cell.moments[turn + 1])
                await self.ward.back()
            seconds = await self._until_over(subjects)
        if strike is Strike.FREEZE:
            await self.ward.thaw()
            await self._thawed_works()
        await self._hear_everything(subjects)
        async with self.hub.database() as database:
            for cell in batch:
                self.recoveries[cell] = await moments_of(self.hub, database, cell.subject, since=struck_at)
        return await self._judged(batch, missed, seconds)

    @asynccontextmanager
    async def _alive(self, subjects: Mapping[str, Scenario]) -> AsyncIterator[None]:
        """They are placed, and the world does what it does with them, while the block runs."""
        await asyncio.gather(*(scenario.place(self.hub, subject) for subject, scenario in subjects.items()))
        worlds = [asyncio.create_task(scenario.then(self.hub, subject)) for subject, scenario in subjects.items() if scenario.then]
        try:
            yield
        finally:
            for world in worlds:
                world.cancel()
            await asyncio.gather(*worlds, return_exceptions=True)

    async def _all_held(self, subjects: set[str], at_most_seconds: float) -> set[str]:
        """Return those that have not come to their moment, when the others have, or the first has waited for so long."""
        missing, first_at = set(subjects), float("inf")

        async def all_there() -> bool:
            nonlocal first_at
            missing.clear()
            missing.update(subjects - await self.holds.arrived())
            if missing != subjects:
                first_at = min(first_at, time.monotonic())
            return not missing or time.monotonic() - first_at > at_most_seconds

        with contextlib.suppress(AssertionError):
            await until(all_there, seconds=ARRIVE_SECONDS)
        return missing

    async def _until_over(self, subjects: Mapping[str, Scenario]) -> dict[str, float]:
        """Return for each subject after how many seconds it was over, when all are or the patience is at its end."""
        began, over, now = time.monotonic(), dict[str, float](), dict[str, End]()
        while len(over) < len(subjects) and time.monotonic() - began < RECOVER_SECONDS:
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                await self.hub.sandbox.release_webhooks("sendgrid")
                async with self.hub.database() as database:
                    now = await ends(self.hub, database)
                for subject, scenario in subjects.items():
                    if is_over(now.get(subject), scenario):
                        over.setdefault(subject, time.monotonic() - began)
            await asyncio.sleep(0.3)
        for subject in subjects.keys() - over.keys():
            self.say(f"not over after {RECOVER_SECONDS:.0f} s: {subject} {now.get(subject)}")
        return over

    async def _thawed_works(self) -> None:
        """Return when the worker that stood still has done everything that it was in the middle of, and an order besides."""
        await self.ward.rest()
        order_id = f"order-thawed-{next(iter(self.numbers))}"
        await self.hub.place(order_id)
        await self.hub.until_status(order_id, "confirmed", seconds=RECOVER_SECONDS)

    async def _hear_everything(self, subjects: Mapping[str, Scenario]) -> None:
        """All webhooks that were withheld come now, too late for almost everything, and are handled; nothing waits for one any more."""
        async with self.hub.database() as database:

            async def handled() -> bool:
                await self.hub.sandbox.release_webhooks()
                if any(one.pending for subject, one in (await ends(self.hub, database)).items() if subject in subjects):
                    return False
                waiting = await self.hub.sandbox.webhooks(state="waiting")
                return not waiting and await database.fetchval("SELECT count(*) FROM notices WHERE next_at IS NOT NULL") == 0

            with contextlib.suppress(AssertionError):  # what is still pending is found, and red
                await until(handled, seconds=60)
        await self._until_over(subjects)

    async def _judged(self, batch: Sequence[Cell], missed: set[str], seconds: Mapping[str, float]) -> list[Result]:
        async with self.hub.database() as database:
            now = await ends(self.hub, database)
            red = {cell.subject: found for cell in batch if (found := wrong(now[cell.subject], self.calm[cell.scenario], cell.strike))}
            for subject, found in red.items():
                self.say("\n".join([f"{subject}: {found}, {now[subject]}", *await told_of(database, subject)]))
        results = []
        for cell in batch:
            troubles = red.get(cell.subject, [])
            outcome = NOT_MET if cell.subject in missed and not troubles else now[cell.subject].outcome
            results.append(Result(cell, outcome, tuple(troubles), seconds.get(cell.subject, RECOVER_SECONDS)))
        return results


@asynccontextmanager
async def proving(say: Say, **changes: Any) -> AsyncIterator[Proof]:
    """A hub with ``SETTINGS``, or others instead: short leases, every change watched, webhooks withheld but those that move a parcel."""
    with tempfile.TemporaryDirectory(prefix="held-") as held:
        async with (
            running_hub(sweep_seconds=SWEEP_SECONDS, **{**SETTINGS, **changes}) as hub,
            hub.without_breakers(),
            hub.paused("sweep/hub"),
        ):
            ward = Ward(hub, Path(held), say)
            await ward.prepare()
            async with hub.database() as database:
                await watch_changes(database)
            await hub.sandbox.webhooks_misbehave(drop=True)
            await hub.sandbox.webhooks_misbehave("custom", drop=False)
            await hub.sandbox.webhooks_misbehave("shippo", "track_updated", drop=False)
            await hub.sandbox.webhooks_misbehave("stripe", "payment_intent.succeeded", drop=False)
            holds = Holds(hub, Path(held))
            sweeping = asyncio.create_task(sweep_on(hub))
            try:
                yield Proof(hub, ward, holds, say)
            finally:
                sweeping.cancel()
                await holds.close()
                ward.wake()


async def sweep_on(hub: Hub) -> None:
    """Sweep again and again, one after the other: a schedule would pile sweeps up while there is nobody to do them."""
    while True:
        with contextlib.suppress(httpx.HTTPError, AssertionError):
            await hub.run({}, deployment="sweep/hub", seconds=20)
        await asyncio.sleep(SWEEP_SECONDS)
