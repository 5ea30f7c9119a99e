"""Sends notifications: one way for every type and channel, and the task that each of them is in Prefect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import task

from blocks.sendgrid_account import SendGridAccount
from blocks.slack_account import SlackAccount
from blocks.twilio_account import TwilioAccount
from hub.composing import compose
from hub.effects import Effect
from hub.ledger import once
from hub.messages import Mail, PostedMessage, SentMail, SentText, TeamMessage, TextRequest
from hub.notification_steps import CARRIERS
from hub.notification_types import NotificationType
from hub.policies import NOTIFICATION
from hub.subjects import Subject
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Sent = SentMail | SentText | PostedMessage


def notifies(
    what: NotificationType, run_name: str
) -> Callable[[Callable[Parameters, Coroutine[Any, Any, Result]]], Callable[Parameters, Awaitable[Result]]]:
    """Make the function the task that sends ``what``: named like its step, shown as ``run_name``, as patient as notifications are."""

    def made(send: Callable[Parameters, Coroutine[Any, Any, Result]]) -> Callable[Parameters, Awaitable[Result]]:
        return straight(
            task(
                name=what.step.partition(".")[0],
                task_run_name=run_name,
                tags=[CARRIERS[what.channel].provider],
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
    return await send(subject.effect(step, compose(what, subject, **words)))


async def send(effect: Effect) -> Sent:
    """Send the message that the effect asks for, once, by the account that carries such messages. Raises like ``once``."""
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
        case _:
            raise TypeError(f"{effect.key} is no message")
