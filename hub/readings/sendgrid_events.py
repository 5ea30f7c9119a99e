"""
What SendGrid's events mean; each is one element of the batch that came. Our reference stands at the top level, as ``effect``.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import re
from typing import Any, Literal

from hub.facts import Fact, MessageMoved, Unwanted
from hub.message_facts import Delivery
from hub.readings.news import Foreign, Id, Metadata, News
from hub.readings.registry import ignores, reads

PROVIDER = "sendgrid"

Event = Literal["processed", "deferred", "delivered", "open", "bounce", "dropped"]

_ADDED_TO_THE_ID = re.compile(r"\.(recvd-|filterdrecv-|filter\d).*")
_ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_WHY_DROPPED = {
    "Bounced Address": "bounced_address",
    "Invalid": "invalid",
    "Invalid SMTPAPI header": "invalid_header",
    "Recipient List over Package Quota": "over_quota",
    "Spam Content": "spam_content",
    "Spam Content (if spam checker app enabled)": "spam_content",
    "Spam Reporting Address": "spam_reporting_address",
    "Unsubscribed Address": "unsubscribed_address",
}
"""SendGrid's whole list; any other text could hold an address. Source: as above, under "Dropped"."""

_MOVES: dict[Event, Delivery] = {
    "processed": Delivery.ACCEPTED,
    "deferred": Delivery.DEFERRED,
    "delivered": Delivery.DELIVERED,
    "open": Delivery.OPENED,
    "bounce": Delivery.FAILED,
    "dropped": Delivery.FAILED,
}


class _Mail(Metadata):
    event: Event
    sg_message_id: Id | None = None

    @property
    def message_id(self) -> str | None:
        """
        The ``X-Message-Id`` of the answer to our call, with which ``sg_message_id`` begins; None when there is no telling where it ends.

        A bounce that comes hours later names no message at all.
        """
        named = self.sg_message_id or ""
        return named[: found.start()] or None if (found := _ADDED_TO_THE_ID.search(named)) is not None else None


class _Bounce(Foreign):
    type: Literal["bounce", "blocked"] = "bounce"
    status: str | None = None


class _Drop(Foreign):
    reason: str | None = None


@reads(PROVIDER, *_MOVES)
def mail_moved(event: dict[str, Any]) -> News | None:
    """The mail has got so far. Whatever it is, SendGrid has taken the mail on."""
    mail = _Mail.model_validate(event)
    if (ours := mail.ours) is None:
        return None
    code = None
    if mail.event == "bounce":
        code = _why_bounced(_Bounce.model_validate(event))
    elif mail.event == "dropped":
        code = f"dropped.{_WHY_DROPPED.get(_Drop.model_validate(event).reason or '', 'other')}"
    fact = MessageMoved(
        step=ours.step,
        attempt=ours.attempt,
        channel="mail",
        delivery=_MOVES[mail.event],
        message_id=mail.message_id,
        code=code,
    )
    return News(about=ours.about, facts=(fact,))


def _why_bounced(bounce: _Bounce) -> str:
    """Return e.g. ``bounce.5.1.1``; the reason beside it is free text with the address in it."""
    if bounce.status is not None and _ENHANCED_STATUS.fullmatch(bounce.status):
        return f"{bounce.type}.{bounce.status}"
    return bounce.type


@reads(PROVIDER, "spamreport")
def called_spam(event: dict[str, Any]) -> News | None:
    """The customer calls our mail spam."""
    return _unwanted(event, Unwanted(channel="mail", reason="spam report"))


@reads(PROVIDER, "unsubscribe", "group_unsubscribe")
def unsubscribed(event: dict[str, Any]) -> News | None:
    """The customer wants no more mails."""
    return _unwanted(event, Unwanted(channel="mail", reason="unsubscribed"))


def _unwanted(event: dict[str, Any], fact: Fact) -> News | None:
    ours = Metadata.model_validate(event).ours
    return ours and News(about=ours.about, facts=(fact,))


ignores(PROVIDER, "click", because="whether somebody follows a link changes nothing for the order")
ignores(PROVIDER, "group_resubscribe", because="we ask nobody anew who did not want our mails")
