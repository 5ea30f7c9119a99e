"""The step of a process that a notification is: who carries it, and what the carrier's answer means."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from hub.errors import Refused
from hub.facts import Fact, NotificationAccepted, NotificationRefused
from hub.messages import Mail, MessageUpdate, PostedMessage, SentMail, SentText, TeamMessage
from hub.notification_model import Channel, NotificationType
from hub.notification_types import ATTENTION, ATTENTION_MAIL, IN_VAIN
from hub.policies import NOTIFICATION
from hub.steps import EffectState, Outcome, Step
from hub.values import Frozen

ANSWERED = "answered"
"""The step after which a message says who has pressed its button."""


class Carrier(NamedTuple):
    """
    Who carries a channel's messages, what it answers, and the id in that answer under which it knows the message.

    ``by_hand`` makes the answer of a request and of the id that a person has found.
    """

    provider: str
    answer: type[Frozen]
    message_id: Callable[[Any], str]
    by_hand: Callable[[dict[str, Any], str], Frozen]


def _mailed(_request: dict[str, Any], message_id: str) -> SentMail:
    return SentMail(message_id=message_id)


def _texted(_request: dict[str, Any], sid: str) -> SentText:
    return SentText(sid=sid, status="told by hand")


def _posted(request: dict[str, Any], timestamp: str) -> PostedMessage:
    return PostedMessage(channel=request["channel"], timestamp=timestamp)


CARRIERS = {
    Channel.MAIL: Carrier("sendgrid", SentMail, attrgetter("message_id"), _mailed),
    Channel.SMS: Carrier("twilio", SentText, attrgetter("sid"), _texted),
    Channel.SLACK: Carrier("slack", PostedMessage, attrgetter("timestamp"), _posted),
}


def notification_step(
    what: NotificationType, action: str, permits: Callable[[Any], bool], *, owed_request: type[Frozen] | None = None
) -> Step:
    """Return the step that ``what`` is: a courtesy, reported as a fact where it is one of a sign-up's greetings."""
    carrier = CARRIERS[what.channel]

    def means(_attempt: int, answer: Any) -> Outcome:
        message_id = carrier.message_id(answer)
        fact = None if what.greeting is None else NotificationAccepted(notification=what.greeting, message_id=message_id)
        return Outcome(EffectState.DONE, message_id, fact)

    def refused(_attempt: int, refusal: Refused) -> Fact | None:
        return None if what.greeting is None else NotificationRefused(notification=what.greeting, code=refusal.code)

    return Step(
        name=what.step.partition(".")[0],
        provider=carrier.provider,
        action=action,
        policy=NOTIFICATION,
        result=carrier.answer,
        permits=permits,
        means=means,
        refused_means=refused,
        useful_seconds=what.useful_seconds,
        owed_request=owed_request,
        by_hand=carrier.by_hand,
    )


def message_update(
    what: NotificationType, permits: Callable[[Any], bool], *, name: str = "update", owed_request: type[Frozen] | None = None
) -> Step:
    """Return the step that changes the team's message about ``what``; it is as useful as the message, and done twice it is done once."""

    def means(_attempt: int, shown: PostedMessage) -> Outcome:
        return Outcome(EffectState.DONE, shown.timestamp)

    return Step(
        name=name,
        provider="slack",
        action="update the message",
        policy=NOTIFICATION,
        result=PostedMessage,
        permits=permits,
        means=means,
        useful_seconds=what.useful_seconds,
        harmless=True,
        owed_request=owed_request,
    )


def calls_for_a_person(permits: Callable[[Any], bool]) -> tuple[Step, ...]:
    """Return the steps of whatever may need a person: the call, the mail instead of it, and what is said of a button below it."""
    return (
        notification_step(ATTENTION, "tell the team", permits),
        notification_step(ATTENTION_MAIL, "mail the team", permits, owed_request=Mail),
        notification_step(IN_VAIN, "tell the team", permits, owed_request=TeamMessage),
        message_update(ATTENTION, permits, name=ANSWERED, owed_request=MessageUpdate),
    )
