"""What the team reads: ids, amounts and outcomes, nothing about the customer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hub.decisions import attention_call
from hub.effects import Effect
from hub.facets import Status
from hub.notification_steps import ANSWERED
from hub.notification_types import (
    APPROVAL_ASKED,
    APPROVAL_DECLINED,
    ATTENTION,
    ATTENTION_MAIL,
    CONFIRMATION_UNTOLD,
    IN_VAIN,
    LATE_MONEY,
    ORDER,
    PAYMENT_FAILED,
    TEAM_CONFIRMATION,
    TEAM_SHIPPED,
    UNDONE,
)
from hub.orders import Order
from hub.subjects import Subject
from hub.team_threads import SHOW, has_another_message, shown_as
from tasks.notifying import Sent, changes, notifies, notify, send

DECIDED = "update"
"""The step after which the message that asked for approval says how that ended."""


@notifies(ORDER, "tell team {order.id}")
async def tell_team(order: Order, tracking_number: str) -> Sent | None:
    """Let the team see the confirmed order. None: it has a message already, which shows that from now on (``show_order``)."""
    if await has_another_message(order):
        return None
    return await notify(order, ORDER, shows=shown_as(Status.CONFIRMED), tracking_number=tracking_number)


@notifies(TEAM_CONFIRMATION, "tell team of confirmation {order.id}")
async def tell_of_confirmation(order: Order, tracking_number: str) -> Sent:
    """Tell a channel of its own that the order is confirmed."""
    return await notify(order, TEAM_CONFIRMATION, tracking_number=tracking_number)


@notifies(TEAM_SHIPPED, "tell team of shipment {order.id}")
async def tell_of_shipment(order: Order, tracking_number: str | None) -> Sent:
    """Tell a channel of its own that the carrier has the parcel."""
    return await notify(order, TEAM_SHIPPED, tracking_number=tracking_number)


@notifies(PAYMENT_FAILED, "alert team {order.id}")
async def tell_of_failed_payment(order: Order, why: str) -> Sent:
    """Tell the team that the customer could not be charged; once per attempt."""
    return await notify(order, PAYMENT_FAILED, number=order.attempt, went_wrong=why, shows=shown_as(Status.PAYMENT_FAILED))


@notifies(UNDONE, "alert team {order.id}")
async def tell_of_undoing(order: Order, why: str, status: Status) -> Sent:
    """Tell the team that the order is undone, and why; nothing when it was told of a failed payment of the same attempt."""
    return await notify(order, UNDONE, number=order.attempt, went_wrong=why, shows=shown_as(status))


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


@changes(DECIDED, "show decision about {order.id}")
async def show_decision(order: Order, owed: Effect) -> Sent:
    """Let the message that asked for approval say how it ended."""
    del order  # what makes the cache key
    return await send(owed)


@changes(SHOW, "show how far {order.id} is")
async def show_order(order: Order, owed: Effect) -> Sent:
    """Let the order's message say how far the order is."""
    del order  # what makes the cache key
    return await send(owed)


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


@notifies(ATTENTION_MAIL, "mail what needs attention {subject.id}")
async def mail_attention(subject: Subject, owed: Effect) -> Sent:
    """Mail whoever is on call what Slack does not take."""
    del subject  # what makes the cache key
    return await send(owed)


@changes(ANSWERED, "show who pressed {subject.id}")
async def show_press(subject: Subject, owed: Effect) -> Sent:
    """Let a message say who has pressed its button."""
    del subject  # what makes the cache key
    return await send(owed)


@notifies(IN_VAIN, "answer a press {subject.id}")
async def answer_press(subject: Subject, owed: Effect) -> Sent:
    """Tell who pressed a button that nothing came of it, and why."""
    del subject  # what makes the cache key
    return await send(owed)


OWED_TO_TEAM: dict[str, Callable[[Any, Effect], Awaitable[Sent]]] = {
    LATE_MONEY.step: tell_of_late_money,
    APPROVAL_ASKED.step: ask_for_approval,
    DECIDED: show_decision,
    APPROVAL_DECLINED.step: tell_of_declined_refund,
    CONFIRMATION_UNTOLD.step.partition(".")[0]: tell_what_reached_nobody,
    ATTENTION_MAIL.step: mail_attention,
    IN_VAIN.step: answer_press,
    ANSWERED: show_press,
}
"""By step: what a subject can owe the team."""
