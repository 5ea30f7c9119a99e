"""
What becomes of a text. An event's kind is its ``MessageStatus``; our reference is in the URL that Twilio calls, as ``effect``.

Source: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

from __future__ import annotations

from typing import Any, Literal

from hub.facts import Fact, MessageMoved, Unwanted
from hub.message_facts import Delivery
from hub.readings.news import Id, Metadata, News, plain
from hub.readings.registry import ignores, reads

PROVIDER = "twilio"
Status = Literal["accepted", "scheduled", "queued", "sending", "sent", "delivered", "read", "undelivered", "failed", "canceled"]
OPTED_OUT = "21610"
"""The recipient has answered STOP. Source: https://www.twilio.com/docs/api/errors/21610"""

_MOVES: dict[Status, Delivery] = {
    "accepted": Delivery.ACCEPTED,
    "scheduled": Delivery.ACCEPTED,
    "queued": Delivery.ACCEPTED,
    "sending": Delivery.ACCEPTED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.OPENED,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}


class _Text(Metadata):
    MessageSid: Id
    MessageStatus: Status
    ErrorCode: str | None = None


@reads(PROVIDER, *_MOVES)
def text_moved(event: dict[str, Any]) -> News | None:
    """The text has got so far."""
    text = _Text.model_validate(event)
    if (ours := text.ours) is None:
        return None
    delivery = _MOVES[text.MessageStatus]
    moved = MessageMoved(
        step=ours.step,
        attempt=ours.attempt,
        channel="sms",
        delivery=delivery,
        message_id=text.MessageSid,
        code=plain(text.ErrorCode, text.MessageStatus) if delivery is Delivery.FAILED else None,
    )
    facts: tuple[Fact, ...] = (moved,)
    if text.ErrorCode == OPTED_OUT:
        facts = (moved, Unwanted(channel="sms", reason="unsubscribed"))
    return News(about=ours.about, facts=facts)


ignores(PROVIDER, "partially_delivered", because="it is said of a text to several people, and ours go to one")
ignores(PROVIDER, "received", "receiving", because="it is a text to us, and nobody here reads those")
