"""
What the team's buttons do, as the person who pressed: verified, attributed, once. What may not be done is answered in the thread.

Who may is named in ``HUB_APPROVERS``. A press is a notice like any other, and what follows from it is in the commit that handles it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from hub.approvals import SLACK, approval_of, mention
from hub.beginning import intend_once
from hub.composing import compose
from hub.deciding import NotDecided, decide
from hub.decisions import called_for
from hub.enrolling import resume as resume_signup
from hub.intake import NoNewAttempt, begin_attempt
from hub.intake import resume as resume_order
from hub.kinds import kind_of
from hub.messages import MessageUpdate, PostedMessage, TeamMessage
from hub.notification_model import Press
from hub.notification_steps import ANSWERED
from hub.notification_types import APPROVAL_ASKED, ATTENTION, IN_VAIN, PAYMENT_FAILED
from hub.refunds import NotRefundable, RefundTerms, ask, asked_before
from hub.releasing import resume as resume_release
from hub.settings import settings
from hub.subject_rows import as_it_is, database_now
from hub.tables import EffectRow, OrderRow, SubjectColumns

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.message_facts import ButtonPressed
    from hub.subjects import Subject

ASKED_IN_SLACK = "asked for in Slack"
_RESUMES: dict[str, Callable[..., Awaitable[None]]] = {"order": resume_order, "signup": resume_signup, "release": resume_release}
_DIGEST_LENGTH = 12


class InVain(Exception):
    """Nothing comes of this press; ``why`` says so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


async def take_press(session: AsyncSession, row: SubjectColumns, effect: EffectRow | None, pressed: ButtonPressed) -> None:
    """Do what the button below the message is for, as the person who pressed it; else answer why not. Other buttons mean nothing to us."""
    if effect is None or pressed.message is None or pressed.action not in tuple(Press):
        return
    try:
        await _do(session, row, effect, pressed, f"{SLACK}{pressed.user_id}")
    except (InVain, NotDecided, NotRefundable, NoNewAttempt) as why:
        await _answer(session, row, effect, pressed, str(why))


async def _do(session: AsyncSession, row: SubjectColumns, effect: EffectRow, pressed: ButtonPressed, by: str) -> None:
    step, _, item = effect.step.partition(".")
    now = await database_now(session)
    if pressed.action == Press.RETRY and step == ATTENTION.step:
        _check_allowed(by)
        await _resume(session, row, effect, now, by)
    elif step == ANSWERED:
        raise InVain("somebody has taken it up already")
    elif not isinstance(row, OrderRow):
        return
    elif pressed.action == Press.RETRY and step == PAYMENT_FAILED.step:
        _check_allowed(by)
        await _charge_again(session, row, effect, now, by)
    elif pressed.action == Press.REFUND:
        _check_allowed(by)
        await _ask_back(session, row, f"slack-{pressed.message}", by)
    elif (
        pressed.action != Press.RETRY and step == APPROVAL_ASKED.step and (approval := await approval_of(session, row.id, item)) is not None
    ):
        await decide(session, row, approval, now, approve=pressed.action == Press.APPROVE, by=by)


def _check_allowed(by: str) -> None:
    if by not in settings().approvers:
        raise InVain(f"{by} may not; HUB_APPROVERS names those who may")


async def _ask_back(session: AsyncSession, row: OrderRow, refund_id: str, by: str) -> None:
    """Ask for all that is left, which somebody else has to approve; a message asks for one refund, whoever presses how often."""
    known = await asked_before(session, row.id, refund_id)
    if known is not None:
        raise InVain(f"{mention(known.by)} has asked for it already, as refund {refund_id}; for another one there is `hub order refund`")
    await ask(session, row, refund_id, RefundTerms(reason=ASKED_IN_SLACK), by=by, whatever_amount=True)


async def _resume(session: AsyncSession, row: SubjectColumns, effect: EffectRow, now: datetime, by: str) -> None:
    """Let what needed attention go on, if it still needs it for what the message says."""
    call = await called_for(session, row)
    if call is None or effect.step != f"{ATTENTION.step}.{call.number}":
        raise InVain("it does not need attention for that any more")
    await _RESUMES[kind_of(row).name](session, row, now, by)
    await _show_who(session, row, effect, by)


async def _charge_again(session: AsyncSession, row: OrderRow, effect: EffectRow, now: datetime, by: str) -> None:
    """Begin the attempt that follows the failed one, with the same payment method."""
    if row.attempt != effect.attempt:
        raise InVain(f"attempt {effect.attempt + 1} has followed already")
    await begin_attempt(session, row, now, effect.attempt + 1, by=by)
    await _show_who(session, row, effect, by)


async def _show_who(session: AsyncSession, row: SubjectColumns, effect: EffectRow, by: str) -> None:
    """Intend that the message says who has taken it up, and has no button any more; the next run does it."""
    if effect.result is None:
        return
    subject: Subject = await as_it_is(session, row)
    posted, said = PostedMessage.model_validate(effect.result), TeamMessage.model_validate(effect.request)
    text = f"{said.text}\n*taken up again* by {mention(by)}"
    update = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text=text, metadata=said.metadata)
    await intend_once(session, subject.effect(f"{ANSWERED}.{effect.step}", update))


async def _answer(session: AsyncSession, row: SubjectColumns, effect: EffectRow, pressed: ButtonPressed, why: str) -> None:
    """Intend a reply to the message that says why nothing came of the press: one to each person for each button."""
    subject: Subject = await as_it_is(session, row)
    who = mention(f"{SLACK}{pressed.user_id}")
    message = compose(IN_VAIN, subject, who=who, button=pressed.action.capitalize(), why=why)
    if not isinstance(message, TeamMessage):
        raise TypeError("the team is told in a channel")
    thread = effect.request.get("thread") or pressed.message
    message = message.model_copy(update={"channel": effect.request["channel"], "thread": thread})
    press = hashlib.sha256(f"{pressed.message}|{pressed.action}|{pressed.user_id}".encode()).hexdigest()[:_DIGEST_LENGTH]
    await intend_once(session, subject.effect(f"{IN_VAIN.step}.{press}", message))
    row.epoch, row.resume_at = row.epoch + 1, await database_now(session)
