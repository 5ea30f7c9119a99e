"""What has happened to messages and releases, and what people answered to them, in our words; like all facts, recorded once."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from hub.values import Frozen


class Delivery(StrEnum):
    """
    How far a message has got, in rising rank.

    ``accepted``: the provider will try. ``deferred``: it could not yet. ``sent``: it has handed it on. ``failed`` is the highest: what
    bounces after it seemed delivered, has not arrived.
    """

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    SENT = "sent"
    DELIVERED = "delivered"
    OPENED = "opened"
    FAILED = "failed"


class MessageMoved(Frozen):
    """
    A message to the customer has got so far; ``code`` says why it failed, in the provider's codes.

    ``message_id``: what the provider's answer to our call named it; None where the event does not say.
    """

    told_apart_by: ClassVar = ("step", "attempt", "delivery")

    kind: Literal["message moved"] = "message moved"
    step: str
    attempt: int
    channel: Literal["mail", "sms"]
    delivery: Delivery
    message_id: str | None = None
    code: str | None = None


class Unwanted(Frozen):
    """The customer does not want messages on this channel."""

    told_apart_by: ClassVar = ("channel", "reason")

    kind: Literal["messages unwanted"] = "messages unwanted"
    channel: Literal["mail", "sms"]
    reason: Literal["spam report", "unsubscribed"]


class ButtonPressed(Frozen):
    """Somebody of the team has pressed a button below a message; ``action`` and ``value`` are what we gave the button."""

    told_apart_by: ClassVar = ("message", "action", "user_id", "pressed_at")

    kind: Literal["button pressed"] = "button pressed"
    action: str
    value: str | None
    user_id: str
    user_name: str
    channel: str | None
    message: str | None
    pressed_at: str
