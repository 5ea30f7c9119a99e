"""Sends notifications: one way for every type and channel, and the task that each of them is in Prefect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import task

from blocks.sendgrid_account import SendGridAccount
from blocks.slack_account import SlackAccount
from blocks.twilio_account import TwilioAccount
from hub.effects import Effect
from hub.erasing import is_to_nobody
from hub.errors import Refused
from hub.ledger import once
from hub.messages import Mail, MessageUpdate, PostedMessage, SentMail, SentText, TeamMessage, TextRequest
from hub.notification_model import Channel, NotificationType
from hub.notification_steps import CARRIERS
from hub.policies import NOTIFICATION
from hub.subjects import Subject
from hub.team_threads import composed
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Sent = SentMail | SentText | PostedMessage
Sending = Callable[Parameters, Coroutine[Any, Any, Result]]


def notifies(what: NotificationType, run_name: str) -> Callable[[Sending[Parameters, Result]], Callable[Parameters, Awaitable[Result]]]:
    """Make the function the task that sends ``what``: named like its step, shown as ``run_name``, as patient as notifications are."""
    return _task(what.step.partition(".")[0], CARRIERS[what.channel].provider, run_name)


def changes(step: str, run_name: str) -> Callable[[Sending[Parameters, Result]], Callable[Parameters, Awaitable[Result]]]:
    """Make the function the task that lets a message of the team say something else, which is ``step``; otherwise like ``notifies``."""
    return _task(step, CARRIERS[Channel.SLACK].provider, run_name)


def _task(name: str, provider: str, run_name: str) -> Callable[[Sending[Parameters, Result]], Callable[Parameters, Awaitable[Result]]]:
    def made(send: Sending[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
        return straight(
            task(
                name=name,
                task_run_name=run_name,
                tags=[provider],
                cache_policy=EFFECT_AND_EPOCH,
                persist_result=True,
                retry_condition_fn=worth_asking_again,
                **NOTIFICATION.task_options(),
            )(send)
        )

    return made


async def notify(subject: Subject, what: NotificationType, *, number: int | None = None, **words: Any) -> Sent:
    """Compose ``what`` about the subject and send it once; once per ``number``, if it has one."""
    step = what.step if number is None else f"{what.step}.{number}"
    return await send(subject.effect(step, await composed(what, subject, **words)))


async def send(effect: Effect) -> Sent:
    """
    Send, or change, the message that the effect asks for, once, by the account that carries such messages. Raises like ``once``.

    Whoever was forgotten is not written to any more: that is ``Refused``.
    """
    if is_to_nobody(effect.request):
        raise Refused(effect.what.provider, effect.what.action, "the person was forgotten", "forgotten")
    match effect.request:
        case Mail():
            sendgrid = await account_for(effect, SendGridAccount)
            return await once(effect, terms=sendgrid.terms, call=sendgrid.send_mail)
        case TextRequest():
            twilio = await account_for(effect, TwilioAccount)
            return await once(effect, terms=twilio.terms, call=twilio.send_text, find=twilio.find_text)
        case TeamMessage():
            slack = await account_for(effect, SlackAccount)
            return await once(effect, terms=slack.terms, call=slack.post_message, find=slack.find_message)
        case MessageUpdate():
            slack = await account_for(effect, SlackAccount)
            return await once(effect, terms=slack.terms, call=slack.update_message)
        case _:
            raise TypeError(f"{effect.key} is no message")
