"""
The sandbox calls back: what the rehearsal providers tell is kept with the work that caused it, signed, sent, and repeated.

A callback is written down in the transaction of its cause, so it comes if and only if the cause is committed, also after a ``kill -9`` of
the sandbox. Nothing here makes an API answer wait, except a webhook that was ordered to be early. Without an address nobody is called.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from sandbox.callback_delivery import Callback, Delivery
from sandbox.callback_rules import Misbehaviour, RuleBook
from sandbox.callback_sender import Sender
from sandbox.store import Store

_SENDERS = 16
_KEPT_DELIVERIES = 2000
_MOST_IN_MEMORY = 50_000  # copies; what comes above it stays in the file until half of them are over
_GATHER_SECONDS = 0.02
_USUAL_BATCH = 20
_EARLY_SECONDS = 10


@dataclass(frozen=True)
class Calling:
    """
    Where webhooks go and how they are signed.

    ``url`` is where each provider's name is appended, "" for nobody; ``secrets_file`` a JSON object of secrets by provider, read again when
    it changes; ``wait_seconds`` the least and the most time between the commit and the delivery; ``retry_seconds`` the first wait after a
    failure.
    """

    url: str = ""
    secrets_file: Path | None = None
    wait_seconds: tuple[float, float] = (0.05, 0.15)
    retry_seconds: float = 0.25


@dataclass(frozen=True)
class _Copy:
    number: int
    callback: Callback
    rule: Misbehaviour


class Callbacks:
    """Sends what is posted; ``rules`` says how that goes wrong. Belongs to one event loop."""

    def __init__(self, store: Store, calling: Calling) -> None:
        self.rules, self.calling = RuleBook(), calling
        self._store, self._sender = store, Sender(calling.secrets_file)
        self._chance = random.Random()  # noqa: S311 - how long a delivery takes, nothing to be guessed
        self._kept: deque[Delivery] = deque(maxlen=_KEPT_DELIVERIES)
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()
        self._early: list[asyncio.Task[None]] = []
        self._withheld: list[tuple[_Copy, Delivery]] = []
        self._gathered: list[_Copy] = []
        self._open: dict[int, int] = {}
        self._in_memory = 0
        self._on_disk_from: int | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._era = 0

    def post(self, callback: Callback) -> None:
        """Have the callback delivered once the transaction around this is committed; nothing when nobody is called."""
        if not self.calling.url:
            return
        row = self._store.connection.execute("INSERT INTO callbacks (body) VALUES (?)", (json.dumps(asdict(callback)),))
        self._store.once_committed(partial(self._accept, row.lastrowid or 0, callback))

    async def early_ones(self) -> None:
        """Return when the early webhooks of the commit just made were answered, or failed once."""
        if early := [task for task in self._early if not task.done()]:
            await asyncio.wait(early, timeout=_EARLY_SECONDS)
        self._early = [task for task in self._early if not task.done()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the block runs, beginning with what an earlier life of the sandbox left."""
        async with self._sender.open():
            self._on_disk_from = 0
            self._take_from_disk()
            senders = [asyncio.create_task(self._send()) for _ in range(_SENDERS)]
            try:
                yield
            finally:
                self._quiet()
                under_way = [*senders, *self._early]
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    def deliveries(self) -> list[Delivery]:
        """Return the last deliveries, newest first, also those that wait or are withheld."""
        return [*reversed(self._kept)]

    @property
    def waiting(self) -> int:
        """How many callbacks are not over, each counted with its copies, also those that are withheld."""
        return self._in_memory

    def release(self, provider: str | None, kind: str | None) -> int:
        """Deliver what is withheld, each after the wait that its misbehaviour orders; returns how many."""
        asked = [provider in {None, one.callback.provider} and kind in {None, one.callback.kind} for one, _ in self._withheld]
        go = [pair for pair, fits in zip(self._withheld, asked, strict=True) if fits]
        self._withheld = [pair for pair, fits in zip(self._withheld, asked, strict=True) if not fits]
        gone = {shown.id for _, shown in go}
        self._kept = deque((one for one in self._kept if one.id not in gone), maxlen=_KEPT_DELIVERIES)
        for copy, _ in go:
            self._let_go(copy)
        return len(go)

    def redeliver(self, identity: str) -> Delivery | None:
        """Send a past delivery once more, signed anew, as a person orders it in a provider's dashboard, also a withheld one; else None."""
        past = next((one for one in self._kept if one.id == identity and one.state != "waiting"), None)
        if past is None:
            return None
        again = self._delivery(past.callbacks, [], past.url)
        self._ready.put_nowait(again)
        return again

    def forget(self) -> None:
        """Behave again, and forget what is kept, waiting, withheld or to be repeated."""
        self.rules.clear()
        self._quiet()
        self._store.connection.execute("DELETE FROM callbacks")
        self._era += 1
        for kept in (self._kept, self._withheld, self._gathered, self._open):
            kept.clear()
        self._in_memory, self._on_disk_from = 0, None

    def _quiet(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _accept(self, number: int, callback: Callback) -> None:
        if self._on_disk_from is not None or self._in_memory >= _MOST_IN_MEMORY:
            self._on_disk_from = number if self._on_disk_from is None else self._on_disk_from
            return
        rule = self.rules.fitting(callback.provider, callback.kind)
        copies = self._open[number] = rule.copies()
        self._in_memory += copies
        for copy in [_Copy(number, callback, rule)] * copies:
            if rule.drop:
                shown = self._delivery([callback], [], self._address(callback))
                shown.state = "withheld"
                self._withheld.append((copy, shown))
            else:
                self._let_go(copy)

    def _take_from_disk(self) -> None:
        if self._on_disk_from is None or self._in_memory > _MOST_IN_MEMORY // 2:
            return
        sql = "SELECT n, body FROM callbacks WHERE n >= ? ORDER BY n LIMIT ?"
        rows = self._store.connection.execute(sql, (self._on_disk_from, _MOST_IN_MEMORY // 2)).fetchall()
        self._on_disk_from = None
        for row in rows:
            self._accept(row["n"], Callback(**json.loads(row["body"])))
        if len(rows) == _MOST_IN_MEMORY // 2 and self._on_disk_from is None:
            self._on_disk_from = rows[-1]["n"] + 1

    def _let_go(self, copy: _Copy) -> None:
        wait = copy.rule.wait_seconds(self._chance.uniform(*self.calling.wait_seconds))
        if copy.callback.provider == "sendgrid" and not copy.rule.early:
            self._after(wait, partial(self._gather, copy))
            return
        delivery = self._delivery([copy.callback], [copy.number], self._address(copy.callback))
        if copy.rule.early:
            self._early.append(asyncio.create_task(self._attempt(delivery)))
        else:
            self._after(wait, partial(self._ready.put_nowait, delivery))

    def _gather(self, copy: _Copy) -> None:
        """Put SendGrid's events together that come at about the same time."""
        self._gathered.append(copy)
        ordered = copy.rule.batch
        if len(self._gathered) >= (ordered or _USUAL_BATCH):
            self._send_gathered()
        elif len(self._gathered) == 1:
            self._after(copy.rule.window if ordered else _GATHER_SECONDS, self._send_gathered)

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            callbacks, numbers = [one.callback for one in gathered], [one.number for one in gathered]
            self._ready.put_nowait(self._delivery(callbacks, numbers, self._address(callbacks[0])))

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        def now() -> None:
            self._timers.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(seconds, now)
        self._timers.add(timer)

    def _address(self, callback: Callback) -> str:
        return callback.url or f"{self.calling.url.rstrip('/')}/{callback.provider}"

    def _delivery(self, callbacks: list[Callback], numbers: list[int], url: str) -> Delivery:
        delivery = Delivery(f"dlv_{secrets.token_hex(8)}", callbacks, numbers, url, self._era)
        self._kept.append(delivery)
        return delivery

    async def _send(self) -> None:
        while True:
            await self._attempt(await self._ready.get())

    async def _attempt(self, delivery: Delivery) -> None:
        """Try once; what follows from a failure is the provider's manner."""
        if delivery.era != self._era:
            return
        again_after = await self._sender.attempt(delivery)
        if delivery.era != self._era:
            return
        if again_after is None:
            self._over(delivery)
        else:
            self._after(again_after * self.calling.retry_seconds, partial(self._ready.put_nowait, delivery))

    def _over(self, delivery: Delivery) -> None:
        for number in delivery.numbers:
            self._in_memory -= 1
            self._open[number] -= 1
            if not self._open[number]:
                del self._open[number]
                self._store.connection.execute("DELETE FROM callbacks WHERE n = ?", (number,))
        self._take_from_disk()
