"""What a provider shows when it is asked what it has, in our words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SerializeAsAny

from hub.facts import Fact
from hub.parcels import VoidStatus
from hub.values import Frozen


class Period(Frozen):
    """From when to when a provider's objects were made, both ends included."""

    since: datetime
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Tell whether something of that moment belongs to the period."""
        return self.since <= moment <= self.until


class Seen(Frozen):
    """
    One object at a provider, whose id there is ``reference``.

    ``result``: what the call that made it would have answered, if it were asked now. ``key``: our provider key, where the object carries
    one; ``ending``: the reference at the end of a text, which carries no more. ``asked``: what the request must have been like, by its
    fields. ``voided``: how far a label is on its way back. ``news``: what has happened to it since.
    """

    provider: str
    reference: str
    result: SerializeAsAny[Frozen]
    key: str | None = None
    ending: str | None = None
    asked: dict[str, Any]
    voided: VoidStatus | None = None
    news: tuple[Fact, ...] = ()


class Page(Frozen):
    """A page of a provider's list; ``following`` leads to the next one, None after the last."""

    seen: tuple[Seen, ...]
    following: str | None


@dataclass(frozen=True)
class Shelf:
    """
    One list of one provider, and how to read it.

    ``makes``: what the calls answer that put something there. ``page`` takes the period and where to go on; ``read`` a reference, and
    returns the object as it is now, None when there is none. ``of`` narrows which of the ledger's requests belong there, by their fields.
    ``pause_seconds`` is kept between two pages, because of the provider's limit on lists.
    """

    provider: str
    makes: type[Frozen]
    page: Callable[[Period, str | None], Awaitable[Page]]
    read: Callable[[str], Awaitable[Seen | None]]
    of: dict[str, str] = field(default_factory=dict)
    pause_seconds: float = 0.0
