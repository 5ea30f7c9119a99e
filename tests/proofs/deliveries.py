"""How letters go out: in a storm (many times, shuffled) or in calm (once, in order)."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Protocol

from tests.proofs.letters import CONNECTIONS, Carrier, Letter

# What one call tells comes out of the sandbox at once; in calm it is put into the order in which it happened.
HAPPENS = ("payment_intent.created", "payment_intent.requires_action", "charge", "refund", "payment_intent", "processed", "delivered")
GATHER_SECONDS = 0.1
LARGEST_ARRAY = 8


class Manner(Protocol):
    """A way of delivering."""

    def take(self, letter: Letter) -> None: ...


class Calm:
    """Every letter once, an order's letters one after the other."""

    def __init__(self, carrier: Carrier, group: asyncio.TaskGroup) -> None:
        self._carrier, self._group = carrier, group
        self._gathered: dict[str, list[Letter]] = defaultdict(list)
        self._workers: dict[str, asyncio.Task[None]] = {}

    def take(self, letter: Letter) -> None:
        self._gathered[letter.order_id].append(letter)
        if letter.order_id not in self._workers:
            self._workers[letter.order_id] = self._group.create_task(self._carry(letter.order_id))

    async def _carry(self, order_id: str) -> None:
        try:
            while self._gathered[order_id]:
                await asyncio.sleep(GATHER_SECONDS)
                letters, self._gathered[order_id] = self._gathered[order_id], []
                for letter in sorted(letters, key=_when):
                    await self._carrier.deliver([letter])
        finally:
            del self._workers[order_id]


def _when(letter: Letter) -> int:
    return next((place for place, begin in enumerate(HAPPENS) if letter.kind.startswith(begin)), len(HAPPENS))


class Storm:
    """
    Every letter 1 to ``most`` times, drawn at random from all that is still to be delivered.

    Of that, ``reserve`` are always kept back for later, until the storm abates: so what belongs together is far apart.
    SendGrid's events travel in arrays of whatever was drawn. The same ``seed`` gives the same letters the same number of copies.
    """

    def __init__(self, carrier: Carrier, *, seed: int, most: int, reserve: int) -> None:
        self._carrier, self._seed, self._most, self._reserve = carrier, seed, most, reserve
        self._chance = random.Random(seed)  # noqa: S311 - a shuffle that can be repeated, nothing to be guessed
        self._pool: list[Letter] = []
        self._mails: list[Letter] = []
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._news = asyncio.Event()
        self._no_more = False
        self._hurried_on: set[Letter] = set()
        self.ordered = self.distinct = 0
        self.hurried: set[str] = set()
        """Orders whose letters have their first delivery at once: before the call that caused them is answered."""

    def take(self, letter: Letter) -> None:
        number = self._numbers[letter.order_id, letter.kind] = self._numbers[letter.order_id, letter.kind] + 1
        draw = random.Random(f"{self._seed} {letter.order_id} {letter.kind} {number}").random()  # noqa: S311 - likewise
        copies = 1 + int(self._most * draw**1.35)
        self.distinct += 1
        self.ordered += copies
        pool = self._mails if letter.provider == "sendgrid" else self._pool
        pool.extend([letter] * (copies - (letter.order_id in self.hurried)))
        self._news.set()

    async def first(self, letters: list[Letter]) -> None:
        """Each of these letters of hurried orders has had its first delivery."""
        untold = [letter for letter in letters if letter not in self._hurried_on]
        self._hurried_on.update(untold)
        await asyncio.gather(*(self._carrier.deliver([letter]) for letter in untold))

    async def blow(self) -> None:
        """Deliver until there is nothing left and nothing more comes."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS * 2 // 3):
                group.create_task(self._worker())

    def abate(self) -> None:
        """Keep nothing back from now on."""
        self._reserve = 0
        self._news.set()

    def no_more(self) -> None:
        """Nothing comes any more: when all is delivered, it is over."""
        self._no_more = True
        self._news.set()

    async def _worker(self) -> None:
        while True:
            if letters := self._drawn():
                await self._carrier.deliver(letters)
            elif self._no_more:
                return
            else:
                self._news.clear()
                await self._news.wait()

    def _drawn(self) -> list[Letter]:
        everything = len(self._pool) + len(self._mails)
        if everything <= self._reserve:
            return []
        if self._chance.randrange(everything) < len(self._pool):
            return [_pulled(self._pool, self._chance)]
        together = min(self._chance.randint(1, LARGEST_ARRAY), len(self._mails))
        return [_pulled(self._mails, self._chance) for _ in range(together)]


def _pulled(pool: list[Letter], chance: random.Random) -> Letter:
    place = chance.randrange(len(pool))
    pool[place], pool[-1] = pool[-1], pool[place]
    return pool.pop()
