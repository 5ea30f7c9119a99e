"""What has happened to a sign-up, in our words; like all facts, recorded once and without anything personal."""

from __future__ import annotations

from typing import ClassVar, Literal

from hub.values import Frozen


class ProfileCreated(Frozen):
    """The user is known to the profile service."""

    told_apart_by: ClassVar = ("profile_id",)

    kind: Literal["profile created"] = "profile created"
    profile_id: str


class ProfileRefused(Frozen):
    """The profile service does not take this user; ``code`` is the service's, e.g. ``email_taken``."""

    told_apart_by: ClassVar = ()

    kind: Literal["profile refused"] = "profile refused"
    code: str


class ProfileRemoved(Frozen):
    """The user is not known to the profile service any more."""

    told_apart_by: ClassVar = ("profile_id",)

    kind: Literal["profile removed"] = "profile removed"
    profile_id: str


class NotificationAccepted(Frozen):
    """A provider has taken a message to the new user on."""

    told_apart_by: ClassVar = ("notification",)

    kind: Literal["notification accepted"] = "notification accepted"
    notification: Literal["welcome", "confirmation", "verification"]
    message_id: str


class NotificationRefused(Frozen):
    """A provider does not take a message to the new user; ``code`` is the provider's, e.g. ``21610``."""

    told_apart_by: ClassVar = ("notification",)

    kind: Literal["notification refused"] = "notification refused"
    notification: Literal["welcome", "confirmation", "verification"]
    code: str


class StepMissed(Frozen):
    """
    A run's patience has ended: the step was surely not done (``unavailable``, ``not_made``), or nobody knows.

    ``http_status``: of the last answer, if there was one.
    """

    told_apart_by: ClassVar = ("step", "outcome", "epoch")

    kind: Literal["step missed"] = "step missed"
    step: Literal["profile", "payment", "welcome", "confirmation", "verification", "records"]
    outcome: Literal["unavailable", "unknown", "not_made"]
    http_status: int | None = None
    epoch: int


class Recorded(Frozen):
    """The registration and its activities were written, with this status."""

    told_apart_by: ClassVar = ("status", "epoch")

    kind: Literal["registration recorded"] = "registration recorded"
    status: str
    epoch: int
