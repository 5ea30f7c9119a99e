"""
Every kind of notification, as data: about what, by which channel, in which words, who can refuse it, what follows when it does not arrive.

This is the one place that knows. ``hub.composing`` writes notifications, the tables of steps say when each may be sent, ``tasks.notifying``
sends them. ``hub notifications list`` prints this table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from hub.messages import Button
from hub.steps import DAY, HOUR
from hub.values import Frozen

SubjectKind = Literal["order", "signup", "release"]
Preference = Literal["newsletter", "sms_notifications", "email_notifications"]
Greeting = Literal["welcome", "confirmation", "verification"]


class Channel(StrEnum):
    """How a notification travels."""

    MAIL = "mail"
    SMS = "sms"
    SLACK = "slack"


class Recipient(Frozen):
    """Whom a subject is about. ``refuses``: the preferences that were answered with no; an order has none."""

    email: str
    name: str
    phone: str | None = None
    refuses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NotificationType:
    """
    One kind of notification.

    ``step``: its name in the ledger, and so part of every key; what may be sent more than once gets its number behind a dot.
    ``template``: in ``hub/templates``, without its ending; a mail has ``.txt`` and ``.html``. ``subject_line`` is a template, too.
    ``fallback``: what is sent instead when this one is refused or bounces. ``greeting``: under which name a sign-up reports it.
    ``buttons``: what the team can press below it.
    """

    name: str
    kinds: tuple[SubjectKind, ...]
    step: str
    channel: Channel
    template: str
    useful_seconds: float
    subject_line: str = ""
    preference: Preference | None = None
    fallback: NotificationType | None = None
    greeting: Greeting | None = None
    buttons: tuple[Button, ...] = ()

    @property
    def fallbacks(self) -> tuple[NotificationType, ...]:
        """What follows when this one does not arrive, and what follows that."""
        return () if self.fallback is None else (self.fallback, *self.fallback.fallbacks)

    def suits(self, recipient: Recipient) -> bool:
        """Tell whether the recipient can be reached on this channel, and has not said no."""
        reachable = self.channel is not Channel.SMS or recipient.phone is not None
        return reachable and self.preference not in recipient.refuses


def _text_instead_of(mail: str, kind: SubjectKind, mail_step: str, untold: NotificationType) -> NotificationType:
    return NotificationType(
        name=f"{mail}_text",
        kinds=(kind,),
        step=f"text.{mail_step}",
        channel=Channel.SMS,
        template=f"texts/{mail_step}",
        useful_seconds=2 * HOUR,
        preference="sms_notifications",
        fallback=untold,
    )


def _untold(mail: str, kind: SubjectKind, mail_step: str) -> NotificationType:
    """Return the last resort: the team hears that neither the mail nor a text has reached anybody."""
    return NotificationType(f"{mail}_untold", (kind,), f"untold.{mail_step}", Channel.SLACK, "texts/untold", DAY)


def _to_team(name: str, kinds: tuple[SubjectKind, ...], step: str, useful_seconds: float) -> NotificationType:
    return NotificationType(name, kinds, step, Channel.SLACK, f"texts/{step}", useful_seconds)


CONFIRMATION_UNTOLD = _untold("order_confirmation", "order", "mail")
CONFIRMATION_TEXT = _text_instead_of("order_confirmation", "order", "mail", CONFIRMATION_UNTOLD)
ORDER_CONFIRMATION = NotificationType(
    name="order_confirmation",
    kinds=("order",),
    step="mail",
    channel=Channel.MAIL,
    template="order_confirmed",
    subject_line="Your order {{ order.id }} is confirmed",
    useful_seconds=DAY,
    fallback=CONFIRMATION_TEXT,
)
SHIPPED_UNTOLD = _untold("shipped", "order", "shipped-mail")
SHIPPED_TEXT = _text_instead_of("shipped", "order", "shipped-mail", SHIPPED_UNTOLD)
SHIPPED = NotificationType(
    name="shipped",
    kinds=("order",),
    step="shipped-mail",
    channel=Channel.MAIL,
    template="order_shipped",
    subject_line="Your order {{ order.id }} is on its way",
    useful_seconds=DAY,
    fallback=SHIPPED_TEXT,
)
DELIVERED_UNTOLD = _untold("delivered", "order", "delivered-mail")
DELIVERED_TEXT = _text_instead_of("delivered", "order", "delivered-mail", DELIVERED_UNTOLD)
DELIVERED = NotificationType(
    name="delivered",
    kinds=("order",),
    step="delivered-mail",
    channel=Channel.MAIL,
    template="order_delivered",
    subject_line="Your order {{ order.id }} has arrived",
    useful_seconds=DAY,
    fallback=DELIVERED_TEXT,
)
REFUND_UNTOLD = _untold("refund", "order", "refund-mail")
REFUND_TEXT = _text_instead_of("refund", "order", "refund-mail", REFUND_UNTOLD)
REFUND = NotificationType(
    name="refund",
    kinds=("order",),
    step="refund-mail",
    channel=Channel.MAIL,
    template="order_refunded",
    subject_line="Your order {{ order.id }} was cancelled and refunded",
    useful_seconds=DAY,
    fallback=REFUND_TEXT,
)

MONEY_BACK = NotificationType(
    name="money_back",
    kinds=("order",),
    step="money-back-mail",
    channel=Channel.MAIL,
    template="order_money_back",
    subject_line="Money for your order {{ order.id }} is on its way back to you",
    useful_seconds=DAY,
)

WELCOME_UNTOLD = _untold("welcome", "signup", "welcome-mail")
WELCOME_TEXT = _text_instead_of("welcome", "signup", "welcome-mail", WELCOME_UNTOLD)
WELCOME = NotificationType(
    name="welcome",
    kinds=("signup",),
    step="welcome-mail",
    channel=Channel.MAIL,
    template="signup_welcome",
    subject_line="Welcome",
    useful_seconds=DAY,
    preference="email_notifications",
    fallback=WELCOME_TEXT,
    greeting="welcome",
)
PAYMENT_UNTOLD = _untold("payment_confirmation", "signup", "payment-mail")
PAYMENT_TEXT = _text_instead_of("payment_confirmation", "signup", "payment-mail", PAYMENT_UNTOLD)
PAYMENT_CONFIRMATION = NotificationType(
    name="payment_confirmation",
    kinds=("signup",),
    step="payment-mail",
    channel=Channel.MAIL,
    template="signup_payment_confirmation",
    subject_line="We have received your payment",
    useful_seconds=DAY,
    preference="email_notifications",
    fallback=PAYMENT_TEXT,
    greeting="confirmation",
)
VERIFICATION = NotificationType(
    name="verification",
    kinds=("signup",),
    step="verification-text",
    channel=Channel.SMS,
    template="texts/verification-text",
    useful_seconds=2 * HOUR,
    preference="sms_notifications",
    greeting="verification",
)

BULLETIN = NotificationType(
    name="bulletin",
    kinds=("signup",),
    step="bulletin",
    channel=Channel.MAIL,
    template="bulletin",
    subject_line="{{ bulletin.subject_line }}",
    useful_seconds=3 * DAY,
    preference="newsletter",
)

TEAM_CONFIRMATION = _to_team("team_confirmation", ("order",), "team", HOUR)
TEAM_ALERT = _to_team("team_alert", ("order",), "team-alert", HOUR)
LATE_MONEY = _to_team("late_money", ("order",), "late-money", DAY)
APPROVE, REJECT = "approve", "reject"
APPROVAL_ASKED = replace(
    _to_team("approval_asked", ("order",), "approval-asked", DAY),
    buttons=(Button(action=APPROVE, text="Approve", style="primary"), Button(action=REJECT, text="Reject", style="danger")),
)
APPROVAL_DECLINED = _to_team("approval_declined", ("order",), "approval-declined", DAY)
ATTENTION = _to_team("attention", ("order", "signup", "release"), "attention", DAY)
RELEASE_SILENT = _to_team("release_silent", ("release",), "release-silent", HOUR)
RELEASE = NotificationType("release", ("release",), "message", Channel.SLACK, "texts/release", HOUR)

MAILS = (ORDER_CONFIRMATION, SHIPPED, DELIVERED, REFUND, MONEY_BACK, WELCOME, PAYMENT_CONFIRMATION, BULLETIN)
TYPES: dict[str, NotificationType] = {
    what.name: what
    for what in (
        *MAILS,
        VERIFICATION,
        *(instead for mail in MAILS for instead in mail.fallbacks),
        TEAM_CONFIRMATION,
        TEAM_ALERT,
        LATE_MONEY,
        APPROVAL_ASKED,
        APPROVAL_DECLINED,
        ATTENTION,
        RELEASE,
        RELEASE_SILENT,
    )
}
"""Every type by its name."""
GREETINGS: dict[Greeting, NotificationType] = {what.greeting: what for what in TYPES.values() if what.greeting is not None}
_BY_STEP: dict[tuple[str, str], NotificationType] = {(kind, what.step): what for what in TYPES.values() for kind in what.kinds}


def fallbacks_of(kind: str, step: str) -> tuple[NotificationType, ...]:
    """Return what may be sent when the notification that is this step of such a subject does not arrive, in the order of preference."""
    what = _BY_STEP.get((kind, step))
    return () if what is None else what.fallbacks
