"""A subject: what a process is about, an order, a sign-up or a release, as a run holds it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple
from uuid import UUID

from hub.effects import Effect
from hub.notification_model import Recipient
from hub.values import Frozen


class Moved(NamedTuple):
    """What a new fact did to a subject's row: whether a facet changed, and whether it leaves the process something to do."""

    changed: bool
    to_do: bool


class Subject(Frozen):
    """
    A snapshot of a subject's row at the moment of the claim. Never a table row, and never changed.

    ``due``: something is to be done now; ``in_hand``: another run is doing it.
    """

    kind: str
    id: str
    hub_id: UUID
    correlation_id: str
    attempt: int
    epoch: int
    fence: int
    run_id: str
    due: bool
    in_hand: bool = False
    message: str = ""

    @property
    @abstractmethod
    def rests(self) -> bool:
        """True when this run has nothing to do: another run has the subject in hand, or it waits for the outside world."""

    @property
    @abstractmethod
    def state_name(self) -> str:
        """The name of the Prefect state that a run ends in which leaves the subject like this."""

    @abstractmethod
    def result(self) -> Any:
        """Return what the outside may know of it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call it, e.g. ``order o-1001 (50.00 USD)``; without personal data."""

    @property
    @abstractmethod
    def recipient(self) -> Recipient | None:
        """Whom it is about, and who is told; None where that is nobody but the team."""

    @property
    def reference(self) -> dict[str, str]:
        """Our reference in a provider's metadata."""
        return {"hub_id": str(self.hub_id), f"{self.kind}_id": self.id, "correlation_id": self.correlation_id}

    def effect_key(self, step: str) -> str:
        """Return the key of this attempt's ``step``, e.g. ``order:o-1001:payment:1``."""
        return f"{self.kind}:{self.id}:{step}:{self.attempt}"

    def effect(self, step: str, request: Frozen, *, attempt: int | None = None) -> Effect:
        """Return the effect that ``step`` is about to have, under this run's claim; of this attempt, unless another is named."""
        return Effect(
            hub_id=self.hub_id,
            correlation_id=self.correlation_id,
            subject_kind=self.kind,
            subject_id=self.id,
            step=step,
            attempt=self.attempt if attempt is None else attempt,
            fence=self.fence,
            run_id=self.run_id,
            request=request,
        )
