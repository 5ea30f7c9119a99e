"""
The one message in which the team sees an order, or a release: posted once, changed in place, and what else is to be said replies to it.

An order's message is posted once its first outcome is known. Whatever that was, the same message shows all that comes after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import col, select

from hub.claims import hold
from hub.composing import Message, channel_of, compose
from hub.database import transaction
from hub.facets import Status
from hub.messages import MessageUpdate, PostedMessage, TeamMessage
from hub.notification_model import NotificationType
from hub.notification_types import ORDER, PAYMENT_FAILED, RELEASE
from hub.steps import OPEN_STATES, EffectState
from hub.tables import EffectRow, OrderRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.effects import Effect
    from hub.orders import Order
    from hub.subjects import Subject

SHOW = "show"
_MESSAGES = {"order": (ORDER, PAYMENT_FAILED), "release": (RELEASE,)}
"""By kind of subject, what can be its message; the first of them in whatever channel it was posted."""
_WORDS = {
    Status.IN_TRANSIT: "shipped",
    Status.CANCELLING: "cancelled",
    Status.REFUNDING: "money back",
    Status.REFUNDED: "money back",
}
"""What the team reads where that is not the status itself; what is on its way reads like what it leads to, which saves a call."""
_REFUNDABLE = (Status.CONFIRMED, Status.PACKED, Status.IN_TRANSIT, Status.DELIVERED, Status.RETURNED)


def shown_as(status: Status) -> str:
    """Return how the team reads how far an order is."""
    return _WORDS.get(status, status.replace("_", " "))


async def composed(what: NotificationType, subject: Subject, **words: Any) -> Message:
    """Compose like ``compose``; what replies to its subject's message does, where that stands in the same channel."""
    if not what.replies:
        return compose(what, subject, **words)
    async with transaction() as session:
        return await compose_reply(session, what, subject, **words)


async def compose_reply(session: AsyncSession, what: NotificationType, subject: Subject, **words: Any) -> Message:
    """Compose like ``composed``, within the transaction of whoever intends it."""
    message = compose(what, subject, **words)
    if not isinstance(message, TeamMessage):
        return message
    posted = _posted(await _said_of(session, subject), subject)
    if posted is None or posted.channel != message.channel:
        return message
    return message.model_copy(update={"thread": posted.timestamp})


async def has_another_message(order: Order) -> bool:
    """Tell whether the team sees the order in a message already that did not say at first that it is confirmed."""
    if order.epoch == 1:
        return False  # a failure that was posted, and anything that is better now, would have raised the epoch
    async with transaction() as session:
        effect = _message(await _said_of(session, order), order)
        return effect is not None and _step(effect) != ORDER.step


async def update_of(order: Order) -> Effect | None:
    """
    Return the update with which the order's message shows how far the order is; None where it does, or there is no such message.

    What was to be shown before, and could not be, is over.
    """
    if order.epoch == 1:
        return None  # nobody but this run has moved the order, and it has posted the message just now, if any
    async with transaction() as session:
        row: OrderRow = await hold(session, order)
        said = await _said_of(session, order)
        if (posted := _posted(said, order)) is None:
            return None
        updates = [effect for effect in said if _step(effect) == SHOW]
        last = updates[-1] if updates else _message(said, order)
        shows = shown_as(Status(row.status))
        if last is not None and last.request.get("shows") == shows:
            if last.state not in OPEN_STATES:
                return None
            if last.attempt == order.attempt:
                return order.effect(last.step, MessageUpdate.model_validate(last.request))
        for effect in updates:
            if effect.state in OPEN_STATES:
                effect.state, effect.code, effect.resume_at = EffectState.REFUSED, "superseded", None
        said_now = compose(ORDER, order, shows=shows, tracking_number=row.tracking_number)
    if not isinstance(said_now, TeamMessage):
        raise TypeError("the team is told in a channel")
    request = MessageUpdate(
        channel=posted.channel,
        timestamp=posted.timestamp,
        text=said_now.text,
        metadata=said_now.metadata,
        buttons=said_now.buttons if row.status in _REFUNDABLE else (),
        shows=shows,
    )
    return order.effect(f"{SHOW}.{len(updates) + 1}", request)


async def _said_of(session: AsyncSession, subject: Subject) -> list[EffectRow]:
    """Return what can be the subject's message, and what changed it, oldest first."""
    steps = [what.step for what in _MESSAGES.get(subject.kind, ())]
    if not steps:
        return []
    mine = (col(EffectRow.subject_kind) == subject.kind, col(EffectRow.subject_id) == subject.id)
    among = func.split_part(col(EffectRow.step), ".", 1).in_([*steps, SHOW])
    return list(await session.exec(select(EffectRow).where(*mine, among).order_by(col(EffectRow.created_at))))


def _message(said: list[EffectRow], subject: Subject) -> EffectRow | None:
    """Return the effect that posted the subject's message: the first of its kinds, else the oldest in the channel of that."""
    first, *_ = _MESSAGES[subject.kind]
    posted = [effect for effect in said if effect.state == EffectState.DONE and _step(effect) != SHOW]
    there = [effect for effect in posted if PostedMessage.model_validate(effect.result).channel == channel_of(first)]
    return next((effect for effect in posted if _step(effect) == first.step), next(iter(there), None))


def _posted(said: list[EffectRow], subject: Subject) -> PostedMessage | None:
    effect = _message(said, subject) if said else None
    return None if effect is None else PostedMessage.model_validate(effect.result)


def _step(effect: EffectRow) -> str:
    return effect.step.partition(".")[0]
