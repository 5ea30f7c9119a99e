"""What Begin decides about an effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Ask:
    """Ask the provider now, with the stored request; the attempt is committed."""

    attempt_id: int
    request: dict[str, Any]
    provider_key: str


@dataclass(frozen=True)
class Known:
    """It was done before; this is what came of it."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Look:
    """
    It may have happened ``since`` then; look at the provider before anything else.

    ``at`` is now, in database time: what a look shows is not newer. ``known`` is what the provider said when it took the effect on (a
    refund under way); ``last_chance``: it is open for so long that a person has to look unless this look finds it.
    """

    request: dict[str, Any]
    provider_key: str
    since: datetime
    at: datetime
    same_key_is_useless: bool = False
    known: dict[str, Any] | None = None
    last_chance: bool = False


@dataclass(frozen=True)
class Wait:
    """
    Nothing can be decided for so long: an earlier call may still take effect, or the provider is limited.

    ``slot``: the place in its queue that this call has then.
    """

    seconds: float
    why: str
    slot: datetime | None = None


@dataclass(frozen=True)
class NotDone:
    """It surely did not happen, and nobody is going to ask for it."""
