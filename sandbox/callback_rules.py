"""How deliveries misbehave on demand: twice, late, shuffled, too early, not at all, or many in one."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

ANY: Literal["*"] = "*"
CallbackProvider = Literal["stripe", "sendgrid", "shippo", "slack", "twilio", "github", "custom", "*"]


class Misbehaviour(BaseModel):
    """
    What happens to the webhooks of a provider and kind, ``"*"`` for all.

    ``duplicate`` is how many copies come besides the first, or the least and the most of them; ``delay`` and ``window`` are seconds.
    ``reorder`` spreads the deliveries at random over ``window``; the same ``seed`` spreads them the same way. ``early`` ones have been
    answered before the call that caused them is. ``drop`` withholds them until they are released. ``batch`` is how many events SendGrid
    puts into one array; it waits for ``window`` at most.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: CallbackProvider = ANY
    kind: str = Field(default=ANY, min_length=1)
    duplicate: int | tuple[int, int] = 0
    delay: float | None = Field(default=None, ge=0, le=3600)
    reorder: bool = False
    window: float = Field(default=0.5, gt=0, le=3600)
    seed: int = 1
    early: bool = False
    drop: bool = False
    batch: int | None = Field(default=None, ge=1, le=1000)

    _chance: random.Random = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Begin the sequence of random numbers that ``seed`` names."""
        del context
        self._chance = random.Random(self.seed)  # noqa: S311 - a shuffle that a test can repeat, nothing to be guessed
        least, most = self.duplicate if isinstance(self.duplicate, tuple) else (self.duplicate, self.duplicate)
        if not 0 <= least <= most <= MOST_COPIES:
            raise ValueError(f"`duplicate` is a number, or the least and the most, from 0 to {MOST_COPIES}")

    def copies(self) -> int:
        """How often a webhook is delivered now, the first one included."""
        return 1 + (self._chance.randint(*self.duplicate) if isinstance(self.duplicate, tuple) else self.duplicate)

    def wait_seconds(self, usual: float) -> float:
        """How long a delivery waits; ``usual`` is how long it would without this."""
        if self.early:
            return 0
        wait = usual if self.delay is None else self.delay
        return wait + (self._chance.uniform(0, self.window) if self.reorder else 0)


MOST_COPIES = 100
ORDINARY = Misbehaviour()


class RuleBook:
    """The ordered misbehaviours. The youngest that fits a webhook is the only one that counts."""

    def __init__(self) -> None:
        self._rules: list[Misbehaviour] = []

    def place(self, rule: Misbehaviour) -> None:
        """Take an order; one for the same provider and kind is replaced."""
        self._rules = [one for one in self._rules if (one.provider, one.kind) != (rule.provider, rule.kind)]
        self._rules.append(rule)

    def fitting(self, provider: str, kind: str) -> Misbehaviour:
        """Return what happens to a webhook."""
        fits = (rule for rule in reversed(self._rules) if rule.provider in {ANY, provider} and rule.kind in {ANY, kind})
        return next(fits, ORDINARY)

    def readable(self) -> list[dict[str, Any]]:
        """Return the orders, oldest first, as the control API shows them."""
        return [rule.model_dump(mode="json") for rule in self._rules]

    def clear(self) -> None:
        """Behave again."""
        self._rules.clear()
