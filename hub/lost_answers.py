"""What is right when a provider was asked and nobody has heard the answer: it follows from the step, and from what its account promises."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.effects import Terms
    from hub.steps import Step


class WhenLost(StrEnum):
    """
    What is done about a lost answer; each value says it to people.

    Begin (``hub.beginning``) decides by it, and ``hub guarantees`` prints it.
    """

    REPEATED = "asked again: done twice it costs nothing"
    SAME_KEY = "asked again under the same key, which the provider remembers; once it may have forgotten, looked for"
    LOOKED_FOR = "looked for, and asked again when it is surely absent: seen so twice, after the call can no longer take effect"
    LEFT_ALONE = "not asked again: a webhook or a person says what came of it"


RESIDUE = {
    WhenLost.REPEATED: "none that matters",
    WhenLost.SAME_KEY: "none",
    WhenLost.LOOKED_FOR: "twice, when a process stands still between its last check and its first byte for longer than late_seconds",
    WhenLost.LEFT_ALONE: "perhaps not at all, when a process dies while it is under way; never twice",
}
"""What can go wrong all the same."""


def when_lost(step: Step, terms: Terms) -> WhenLost:
    """Return what is done when the answer to the step was lost."""
    if step.harmless:
        return WhenLost.REPEATED
    if terms.keeps_keys:
        return WhenLost.SAME_KEY
    return WhenLost.LOOKED_FOR if terms.can_be_asked else WhenLost.LEFT_ALONE
