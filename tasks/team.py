"""What the team reads: ids, amounts and outcomes, nothing about the customer."""

from __future__ import annotations

from prefect import task

from blocks.slack_account import SlackAccount
from hub.decisions import attention_call
from hub.effects import Effect
from hub.ledger import once
from hub.messages import PostedMessage, TeamMessage
from hub.orders import Order
from hub.policies import NOTIFICATION
from hub.settings import settings
from hub.subjects import Subject
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="team",
    task_run_name="tell team {order.id}",
    tags=["slack"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def tell_team(order: Order, tracking_number: str) -> PostedMessage:
    """Tell the team that the order is confirmed."""
    text = f":white_check_mark: order {order.id} confirmed: {order.money}, tracking number {tracking_number}"
    return await _post(order, "team", text)


@straight
@task(
    name="team-alert",
    task_run_name="alert team {order.id}",
    tags=["slack"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def alert_team(order: Order, what: str) -> PostedMessage:
    """Tell the team what went wrong with the order; once per attempt."""
    return await _post(order, f"team-alert.{order.attempt}", f":warning: order {order.id} ({order.money}): {what}")


@straight
@task(
    name="late-money",
    task_run_name="tell team of late money {order.id}",
    tags=["slack"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def tell_of_late_money(order: Order, owed: Effect) -> PostedMessage:
    """Tell the team that a payment came for an attempt that the order had left behind, and that it was given back."""
    text = f":leftwards_arrow_with_hook: order {order.id}: a payment for its attempt {owed.attempt} came late, and goes back"
    return await _post(order, f"late-money.{owed.attempt}", text)


@straight
@task(
    name="attention",
    task_run_name="call attention to {subject.id}",
    tags=["slack"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def call_attention(subject: Subject) -> PostedMessage | None:
    """Tell the team that a person has to look at the subject, and at what; once per time that it came to that. None: it needs nobody."""
    call = await attention_call(subject)
    if call is None:
        return None
    text = f":rotating_light: {subject.title} needs attention: {call.reason}. See `hub {subject.kind} explain {subject.id}`"
    return await _post(subject, f"attention.{call.number}", text)


async def _post(subject: Subject, step: str, text: str) -> PostedMessage:
    message = TeamMessage(channel=settings().team_channel, text=text, metadata=subject.reference)
    effect = subject.effect(step, message)
    slack = await account_for(effect, SlackAccount)
    return await once(effect, terms=slack.terms, call=slack.post_message, find=slack.find_message)
