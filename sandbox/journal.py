"""Every HTTP request to a rehearsal provider: those inside the handler now, and the last few thousand that went through."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 5000


@dataclass
class Entry:
    """One request. ``status`` is None when no answer was given; never holds a body, a query or a credential."""

    n: int
    provider: str
    operation: str
    method: str
    path: str
    key: str | None
    at: float = field(default_factory=time.time)
    subject: str | None = None
    status: int | None = None
    worked: bool = False
    replayed: bool = False
    fault: dict[str, Any] | None = None
    milliseconds: float | None = None


class Journal:
    """In memory, bounded; a restart of the sandbox begins an empty one."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._done: deque[Entry] = deque(maxlen=KEPT)
        self._inside: dict[int, Entry] = {}

    @contextmanager
    def following(self, *, provider: str, operation: str, method: str, path: str, key: str | None) -> Iterator[Entry]:
        """Count a request as in flight while the block runs, and keep it afterwards."""
        entry = Entry(next(self._numbers), provider, operation, method, path, key)
        began = time.perf_counter()
        self._inside[entry.n] = entry
        try:
            yield entry
        finally:
            del self._inside[entry.n]
            entry.milliseconds = round((time.perf_counter() - began) * 1000, 1)
            self._done.append(entry)

    def in_flight(self, provider: str | None, operation: str | None) -> list[dict[str, Any]]:
        """Return the requests inside the handler now; ``worked`` tells whether their work is done."""
        return _narrowed(self._inside.values(), provider, operation)

    def past(self, provider: str | None, operation: str | None, since: int) -> list[dict[str, Any]]:
        """Return the requests with a number above ``since`` that are over, in the order they ended."""
        return _narrowed((entry for entry in self._done if entry.n > since), provider, operation)

    def clear(self) -> None:
        """Forget the requests that are over."""
        self._done.clear()


def _narrowed(entries: Any, provider: str | None, operation: str | None) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries if (provider in {None, entry.provider}) and (operation in {None, entry.operation})]
