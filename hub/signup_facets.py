"""
How far a sign-up is: what came of each step, in columns that only move forward, and the report that follows from them.

The report is a pure function. It never says more than is known: what nobody knows yet is said as such, and put right when it is known.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

from pydantic import Field

from hub.facets import HoldFacet
from hub.values import Frozen


class StepOutcome(StrEnum):
    """
    What came of one step, in rising rank.

    ``open``: nothing yet. ``unavailable``: surely not done. ``unknown``: it may have happened. ``not_made``: nobody knew, and by now it is
    known that it did not happen. ``waits``: for the customer, or for the bank. ``undelivered``: sent, and it did not arrive. ``undone``:
    done, and taken back.
    """

    NOT_ASKED = "not_asked"
    OPEN = "open"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"
    NOT_MADE = "not_made"
    WAITS = "waits"
    REFUSED = "refused"
    OK = "ok"
    UNDELIVERED = "undelivered"
    UNDONE = "undone"


class SignupStatus(StrEnum):
    """The words that people and programs outside use for what became of a sign-up."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


StepName = Literal["profile", "payment", "welcome", "confirmation", "verification", "records"]
Critical = Literal["profile", "payment"]
LENIENT: tuple[Critical, ...] = ("profile",)
NOTIFICATIONS: tuple[StepName, ...] = ("welcome", "confirmation", "verification")


class SignupFacets(Frozen):
    """
    A sign-up's facets; ``hold``: whether it is being undone.

    ``codes`` says why a step was refused, in the provider's codes, or with what a failed one was answered, e.g. ``http_503``.
    """

    profile: StepOutcome = StepOutcome.OPEN
    payment: StepOutcome = StepOutcome.OPEN
    welcome: StepOutcome = StepOutcome.OPEN
    confirmation: StepOutcome = StepOutcome.OPEN
    verification: StepOutcome = StepOutcome.OPEN
    records: StepOutcome = StepOutcome.OPEN
    hold: HoldFacet = HoldFacet.NONE
    codes: dict[str, str] = Field(default_factory=dict)

    def of(self, step: StepName) -> StepOutcome:
        """Return what came of ``step``."""
        outcome: StepOutcome = getattr(self, step)
        return outcome


class Report(Frozen):
    """What became of a sign-up, for whoever asked for it. ``errors`` holds no personal data and no provider's text."""

    status: SignupStatus
    profile_created: bool
    payment_processed: bool
    errors: tuple[str, ...]


_SERVICES: dict[StepName, str] = {
    "profile": "Profile service",
    "payment": "Payment gateway",
    "welcome": "Mail service",
    "confirmation": "Mail service",
    "verification": "SMS service",
    "records": "Database",
}
_FAILED_TO: dict[StepName, str] = {
    "profile": "create profile",
    "payment": "process payment",
    "welcome": "send notifications",
    "confirmation": "send notifications",
    "verification": "send notifications",
    "records": "record the registration",
}
_WHICH: dict[StepName, str] = {"welcome": " (welcome mail)", "confirmation": " (payment confirmation)"}
"""Two notifications go by mail; the only one by SMS needs no name."""
_NOTHING_MISSING = (StepOutcome.OK, StepOutcome.NOT_ASKED)
_MAY_STILL_BE = (StepOutcome.OK, StepOutcome.NOT_ASKED, StepOutcome.WAITS)


def report(facets: SignupFacets, critical: Collection[Critical] = LENIENT) -> Report:
    """
    Return what became of the sign-up.

    ``FAILED``: there is no profile, or another critical step did not succeed. ``COMPLETE``: everything that was asked for has happened.
    ``PARTIAL``: something is missing, and ``errors`` says what. ``IN_PROGRESS`` until it was recorded, or tried to be, for the first time.
    """
    outcomes = {step: facets.of(step) for step in _SERVICES}
    failed = facets.profile is not StepOutcome.OK or any(facets.of(step) not in _MAY_STILL_BE for step in critical)
    if facets.records is StepOutcome.OPEN:
        status = SignupStatus.IN_PROGRESS
    elif failed:
        status = SignupStatus.FAILED
    elif all(outcome in _NOTHING_MISSING for outcome in outcomes.values()):
        status = SignupStatus.COMPLETE
    else:
        status = SignupStatus.PARTIAL
    errors = ((step, _what_went_wrong(step, outcome, facets.codes.get(step, ""))) for step, outcome in outcomes.items())
    return Report(
        status=status,
        profile_created=facets.profile is StepOutcome.OK,
        payment_processed=facets.payment is StepOutcome.OK,
        errors=tuple(f"Failed to {_FAILED_TO[step]}: {wrong}{_WHICH.get(step, '')}" for step, wrong in errors if wrong is not None),
    )


_WORDS: dict[StepOutcome, str] = {
    StepOutcome.UNAVAILABLE: "{service} unavailable",
    StepOutcome.UNKNOWN: "{service} timeout",
    StepOutcome.NOT_MADE: "{service} timeout; it was not made",
    StepOutcome.WAITS: "Waits for the customer or the bank",
    StepOutcome.REFUSED: "{service} refused it{because}",
    StepOutcome.UNDELIVERED: "It did not arrive{because}",
    StepOutcome.UNDONE: "It was taken back, because a critical step failed",
}


_GATEWAY_TIMEOUTS = ("http_408", "http_504")
CALLED_OFF = "canceled"
"""Why a payment was refused that nobody finished."""


def _what_went_wrong(step: StepName, outcome: StepOutcome, code: str) -> str | None:
    """Return words for it; None where nothing did, or where it did not come to the step because of an earlier one."""
    if outcome is StepOutcome.UNKNOWN and code.startswith("http_") and code not in _GATEWAY_TIMEOUTS:
        outcome = StepOutcome.UNAVAILABLE  # it said itself that it could not; the ledger finds out whether it did all the same
    if outcome is StepOutcome.REFUSED and code == CALLED_OFF:
        return "It was called off before it was finished"
    words = _WORDS.get(outcome)
    return None if words is None else words.format(service=_SERVICES[step], because=f" ({code})" if code else "")
