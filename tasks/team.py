"""What the team reads: ids, amounts and outcomes, nothing about the customer."""

from __future__ import annotations

from prefect import task

from blocks.slack_account import SlackAccount
from hub.decisions import attention_call
from hub.effects import Effect
from hub.ledger import once
from hub.messages import PostedMessage
from hub.notification_types import (
    APPROVAL_ASKED,
    APPROVAL_DECLINED,
    ATTENTION,
    CONFIRMATION_UNTOLD,
    LATE_MONEY,
    TEAM_ALERT,
    TEAM_CONFIRMATION,
)
from hub.orders import Order
from hub.policies import NOTIFICATION
from hub.subjects import Subject
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again
from tasks.notifying import Sent, notifies, notify, send


@notifies(TEAM_CONFIRMATION, "tell team {order.id}")
async def tell_team(order: Order, tracking_number: str) -> Sent:
    """Tell the team that the order is confirmed."""
    return await notify(order, TEAM_CONFIRMATION, tracking_number=tracking_number)


@notifies(TEAM_ALERT, "alert team {order.id}")
async def alert_team(order: Order, what: str) -> Sent:
    """Tell the team what went wrong with the order; once per attempt."""
    return await notify(order, TEAM_ALERT, number=order.attempt, went_wrong=what)


@notifies(LATE_MONEY, "tell team of late money {order.id}")
async def tell_of_late_money(order: Order, owed: Effect) -> Sent:
    """Tell the team that a payment came for an attempt that the order had left behind, and that it was given back."""
    del order  # what makes the cache key
    return await send(owed)


@notifies(APPROVAL_ASKED, "ask team to approve {order.id}")
async def ask_for_approval(order: Order, owed: Effect) -> Sent:
    """Tell the team that a refund needs somebody's approval."""
    del order  # what makes the cache key
    return await send(owed)


@straight
@task(
    name="update",
    task_run_name="show decision about {order.id}",
    tags=["slack"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def show_decision(order: Order, owed: Effect) -> PostedMessage:
    """Let the message that asked for approval say how it ended."""
    del order  # what makes the cache key
    slack = await account_for(owed, SlackAccount)
    return await once(owed, terms=slack.terms, call=slack.update_message)


@notifies(APPROVAL_DECLINED, "tell team of declined refund {order.id}")
async def tell_of_declined_refund(order: Order, owed: Effect) -> Sent:
    """Tell the team that a refund was not approved."""
    del order  # what makes the cache key
    return await send(owed)


@notifies(ATTENTION, "call attention to {subject.id}")
async def call_attention(subject: Subject) -> Sent | None:
    """Tell the team that a person has to look at the subject, and at what; once per time that it came to that. None: it needs nobody."""
    call = await attention_call(subject)
    if call is None:
        return None
    return await notify(subject, ATTENTION, number=call.number, reason=call.reason)


@notifies(CONFIRMATION_UNTOLD, "tell team what reached nobody {subject.id}")
async def tell_what_reached_nobody(subject: Subject, owed: Effect) -> Sent:
    """Tell the team what could be told neither by mail nor by text."""
    del subject  # what makes the cache key
    return await send(owed)
