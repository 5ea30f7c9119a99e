"""How often we ask again, and for how long: one table. ``HUB_POLICIES`` changes it, ``HUB_TIME_SCALE`` scales all durations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hub.settings import settings

if TYPE_CHECKING:
    from hub.settings import PolicyChanges

JITTER = 0.3


@dataclass(frozen=True)
class Policy:
    """
    The patience we have with one kind of service.

    ``budget_seconds`` counts from the first attempt of a run; ``attempts`` is per run; the wait before attempt n+1 is
    ``first_wait_seconds * factor ** (n - 1)``, at most ``longest_wait_seconds``, plus up to 30 % at random.
    """

    name: str
    budget_seconds: float
    attempts: int
    first_wait_seconds: float
    factor: float
    longest_wait_seconds: float

    def wait_seconds(self, after_attempts: int) -> float:
        """Return how long to wait after ``after_attempts`` attempts (from 1), scaled, without the jitter."""
        wait = min(self.first_wait_seconds * self.factor ** (after_attempts - 1), self.longest_wait_seconds)
        return wait * settings().time_scale

    def task_options(self) -> dict[str, Any]:
        """Return the arguments of ``@task`` that carry this policy."""
        return {
            "retries": self.attempts - 1,
            "retry_delay_seconds": [self.wait_seconds(n) for n in range(1, self.attempts)],
            "retry_jitter_factor": JITTER,
        }


@dataclass(frozen=True)
class Breaker:
    """
    When a provider that fails is left alone.

    A window of ``window_seconds`` begins with a failure; the gate closes when in it at least ``least_calls`` calls ended and ``share`` of
    them failed. It stays closed for ``closed_seconds`` (scaled), twice as long after each probe that fails, ``longest_seconds`` at most.
    """

    window_seconds: float
    least_calls: int
    share: float
    closed_seconds: float
    longest_seconds: float


_CHANGES = settings().policies


def _policy(name: str, changes: PolicyChanges, **numbers: float) -> Policy:
    return Policy(name, **numbers | changes.model_dump(exclude_none=True))


EXTERNAL = _policy(
    "external APIs", _CHANGES.external, budget_seconds=300, attempts=5, first_wait_seconds=2, factor=2, longest_wait_seconds=60
)
PAYMENT = _policy("payment", _CHANGES.payment, budget_seconds=600, attempts=2, first_wait_seconds=2, factor=2, longest_wait_seconds=60)
INTERNAL = _policy(
    "internal (database)", _CHANGES.internal, budget_seconds=120, attempts=3, first_wait_seconds=1, factor=1.5, longest_wait_seconds=30
)
NOTIFICATION = _policy(
    "notifications", _CHANGES.notification, budget_seconds=120, attempts=5, first_wait_seconds=1, factor=2, longest_wait_seconds=30
)
RESTART = _policy(
    "failed runs", _CHANGES.restart, budget_seconds=86_400, attempts=8, first_wait_seconds=60, factor=2, longest_wait_seconds=3600
)
NOTICE = _policy("notices", _CHANGES.notice, budget_seconds=86_400, attempts=10, first_wait_seconds=5, factor=2, longest_wait_seconds=600)

EARLY_AT_MOST_SECONDS = 86_400.0
"""So long a notice waits for the subject that it is about; scaled."""

KEY_LIFE_SECONDS = 23 * 3600.0
"""How long Stripe surely knows an idempotency key (it says 24 h): https://docs.stripe.com/api/idempotent_requests"""

BREAKER = replace(
    Breaker(window_seconds=60, least_calls=10, share=0.5, closed_seconds=30, longest_seconds=300),
    **_CHANGES.breaker.model_dump(exclude_none=True),
)

LOOK_WHETHER_PAUSED_SECONDS = 300.0
"""A subject that meets a paused provider looks again after so long (scaled); resuming wakes it earlier."""

CLOSES_AFTER_MISCONFIGURED = 3
GATE_CLOSED_SECONDS = 300.0
"""A provider's gate closes after this many misconfigured answers in a row, for this long (scaled)."""

POLICIES = (PAYMENT, EXTERNAL, NOTIFICATION, INTERNAL, RESTART, NOTICE)
"""All of them, in the order in which people ask for them."""
