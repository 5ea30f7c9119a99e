"""What is known of a kind of notification; the kinds themselves stand in ``hub.notification_types``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from hub.messages import Button
from hub.team_events import TeamEvent
from hub.values import Frozen

SubjectKind = Literal["order", "signup", "release"]
Preference = Literal["newsletter", "sms_notifications", "email_notifications"]
Greeting = Literal["welcome", "confirmation", "verification"]


class Channel(StrEnum):
    """How a notification travels."""

    MAIL = "mail"
    SMS = "sms"
    SLACK = "slack"


class Press(StrEnum):
    """What the team's buttons are for."""

    APPROVE = "approve"
    REJECT = "reject"
    REFUND = "refund"
    RETRY = "retry"


class Recipient(Frozen):
    """Whom a subject is about. ``refuses``: the preferences that were answered with no; an order has none."""

    email: str
    name: str
    phone: str | None = None
    refuses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NotificationType:
    """
    One kind of notification.

    ``step``: its name in the ledger, and so part of every key; what may be sent more than once gets its number behind a dot.
    ``template``: in ``hub/templates``, without its ending; a mail has ``.txt`` and ``.html``. ``subject_line`` is a template, too.
    ``fallback``: what is sent instead when this one is refused or bounces. ``greeting``: under which name a sign-up reports it.
    ``event``: what the team hears of by it, which decides the channel in Slack; None: it is not for the team. ``replies``: it is a reply to
    its subject's message, where there is one in that channel. ``buttons``: what the team can press below it.
    """

    name: str
    kinds: tuple[SubjectKind, ...]
    step: str
    channel: Channel
    template: str
    useful_seconds: float
    subject_line: str = ""
    preference: Preference | None = None
    fallback: NotificationType | None = None
    greeting: Greeting | None = None
    event: TeamEvent | None = None
    replies: bool = False
    buttons: tuple[Button, ...] = ()

    @property
    def fallbacks(self) -> tuple[NotificationType, ...]:
        """What follows when this one does not arrive, and what follows that."""
        return () if self.fallback is None else (self.fallback, *self.fallback.fallbacks)

    def suits(self, recipient: Recipient) -> bool:
        """Tell whether the recipient can be reached on this channel, and has not said no."""
        reachable = self.channel is not Channel.SMS or recipient.phone is not None
        return reachable and self.preference not in recipient.refuses
