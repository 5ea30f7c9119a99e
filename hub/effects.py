"""What a step is about to do: the effect, the provider's terms, and the ways in which it may not go on now."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pydantic import SerializeAsAny

from hub.order_steps import ORDER_STEPS
from hub.release_steps import RELEASE_STEPS
from hub.signup_steps import SIGNUP_STEPS
from hub.steps import Step
from hub.values import Frozen

STEPS: dict[str, dict[str, Step]] = {"order": ORDER_STEPS, "signup": SIGNUP_STEPS, "release": RELEASE_STEPS}


def step_of(kind: str, name: str) -> Step:
    """Return what is known of a step of this kind of subject; ``team-alert.2`` is the second time of ``team-alert``."""
    return STEPS[kind][name.partition(".")[0]]


class Effect(Frozen):
    """One effect that a run is about to have. ``request`` is complete; ``fence`` and ``run_id`` are those of the run's claim."""

    hub_id: UUID
    correlation_id: str
    subject_kind: str
    subject_id: str
    step: str
    attempt: int
    fence: int
    run_id: str
    request: SerializeAsAny[Frozen]

    @property
    def key(self) -> str:
        """The effect key, e.g. ``order:o-1001:payment:1``."""
        return f"{self.subject_kind}:{self.subject_id}:{self.step}:{self.attempt}"

    @property
    def what(self) -> Step:
        """The step's entry in the table of steps."""
        return step_of(self.subject_kind, self.step)


@dataclass(frozen=True)
class Terms:
    """
    What an account promises about its calls.

    ``timeout_seconds`` bounds one HTTP call; ``late_seconds`` is how much later such a call may still take effect; ``keeps_keys`` says that
    the provider keeps idempotency keys; ``can_be_asked`` that it can be asked afterwards what has happened.
    """

    timeout_seconds: float
    late_seconds: float
    keeps_keys: bool
    can_be_asked: bool


class Stopped(Exception):
    """This run does not go on with its subject; nothing went wrong that it would have to undo."""


class Parked(Stopped):
    """
    The subject waits ``seconds`` and is then taken up by a new run.

    ``counts`` says whether that adds to the runs without progress: waiting for a closed gate or a call in flight does not.
    """

    def __init__(self, seconds: float, why: str, counts: bool = False) -> None:
        super().__init__(seconds, why, counts)
        self.seconds, self.why, self.counts = seconds, why, counts

    def __str__(self) -> str:
        return f"{self.why}; goes on in {self.seconds:.0f} s"


class LeaseLost(Stopped):
    """Another run has taken the subject over, or the subject has moved on; what this run decided no longer counts."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
