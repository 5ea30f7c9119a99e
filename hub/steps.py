"""
What a step is, as data.

Who does it, how patient we are, whether the process can live without it, when it may be done, and what its outcome means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.errors import Refused
from hub.facts import Fact
from hub.policies import Policy
from hub.values import Frozen

HOUR = 3600.0
DAY = 24 * HOUR


class EffectState(StrEnum):
    """How far an effect is: intended → pending → done | refused | unknown, done → undone."""

    INTENDED = "intended"
    PENDING = "pending"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    UNDONE = "undone"


OPEN_STATES = (EffectState.INTENDED, EffectState.PENDING, EffectState.UNKNOWN)
"""An effect in one of these is not over: it is still to be asked for, under way, or nobody knows."""


@dataclass(frozen=True)
class Outcome:
    """What an answer means: the effect's new state, the provider's reference, and the fact that follows for the subject."""

    state: EffectState
    reference: str | None
    fact: Fact | None = None
    code: str | None = None


@dataclass(frozen=True)
class Step:
    """
    One effect of a process.

    ``action`` finishes "could not …". ``useful_seconds`` makes it a courtesy: the process can live without it, and after that long it is no
    longer tried. ``harmless``: done twice it costs nothing, so an unknown outcome is simply asked again. ``polled``: while it
    is pending, every run looks how far it is. ``owed_request``: the step is made necessary by a fact, whatever the attempt; this is what it
    asks (``hub.owed``). ``by_hand``: what the answer would have been, made of the request and the reference that a person has found at the
    provider; None where a look finds it by itself (``hub.resolving``). ``looked_for_by``: the step by whose answer a look goes.
    """

    name: str
    provider: str
    action: str
    policy: Policy
    result: type[Frozen]
    permits: Callable[[Any], bool]
    means: Callable[[int, Any], Outcome]
    refused_means: Callable[[int, Refused], Fact | None] = lambda _attempt, _refusal: None
    useful_seconds: float | None = None
    harmless: bool = False
    polled: bool = False
    owed_request: type[Frozen] | None = None
    by_hand: Callable[[dict[str, Any], str], Frozen] | None = None
    looked_for_by: str | None = None
