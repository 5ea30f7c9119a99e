"""Who reads which event; one reading for each, and none by accident twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from hub.readings.news import News, unreadable

Reading = Callable[[dict[str, Any]], News | None]
"""Returns what an event means, or None for news that we do not act on. Raises ``Unreadable`` and nothing else."""

_readings: dict[tuple[str, str], Reading] = {}
_ignored: set[tuple[str, str]] = set()


def reads(provider: str, *kinds: str) -> Callable[[Reading], Reading]:
    """
    Make the function below the reading of these events; what does not fit its models is ``Unreadable``.

    Raises:
        ValueError: One of them has a reading already.
    """

    def register(reading: Reading) -> Reading:
        @wraps(reading)
        def read(event: dict[str, Any]) -> News | None:
            try:
                return reading(event)
            except ValidationError as error:
                raise unreadable(error) from None

        for kind in kinds:
            if (provider, kind) in _readings:
                raise ValueError(f"{provider} {kind} has two readings")
            _readings[provider, kind] = read
        return read

    return register


def ignores(provider: str, *kinds: str, because: str) -> None:
    """Say that these events are known and change nothing; ``because`` is for whoever wonders."""

    def no_news(event: dict[str, Any]) -> None:
        del event

    no_news.__doc__ = because
    reads(provider, *kinds)(no_news)
    _ignored.update((provider, kind) for kind in kinds)


def reading_of(provider: str, kind: str) -> Reading | None:
    """Return the reading of this event, or None when nobody reads it."""
    return _readings.get((provider, kind))


def kinds_that_matter(provider: str) -> tuple[str, ...]:
    """Return the provider's kinds of events that can mean something to us."""
    return tuple(kind for of, kind in sorted(_readings.keys() - _ignored) if of == provider)


def all_readings() -> Mapping[tuple[str, str], Reading]:
    """Return every reading by provider and kind."""
    return MappingProxyType(_readings)
