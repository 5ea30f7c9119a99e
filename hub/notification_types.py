"""
Every kind of notification, as data: about what, by which channel, in which words, who can refuse it, what follows when it does not arrive.

This is the one place that knows. ``hub.composing`` writes notifications, the tables of steps say when each may be sent, ``tasks.notifying``
sends them. ``hub notifications list`` prints this table.
"""

from __future__ import annotations

from dataclasses import replace

from hub.messages import Button
from hub.notification_model import Channel, Greeting, NotificationType, Press, SubjectKind
from hub.steps import DAY, HOUR
from hub.team_events import TeamEvent


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
    untold = _to_team(f"{mail}_untold", (kind,), f"untold.{mail_step}", TeamEvent.ATTENTION, DAY)
    return replace(untold, template="texts/untold")


def _to_team(
    name: str, kinds: tuple[SubjectKind, ...], step: str, event: TeamEvent, useful_seconds: float, *buttons: Button
) -> NotificationType:
    """Return what the team is told in the channel of ``event``, below the message of its subject where that has one there."""
    return NotificationType(name, kinds, step, Channel.SLACK, f"texts/{step}", useful_seconds, event=event, replies=True, buttons=buttons)


def _message_of_its_own(name: str, kind: SubjectKind, step: str, event: TeamEvent, *buttons: Button) -> NotificationType:
    return replace(_to_team(name, (kind,), step, event, HOUR, *buttons), replies=False)


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

_REFUND = Button(
    action=Press.REFUND,
    text="Refund",
    style="danger",
    sure="You ask to give back all that is left of the payment. Somebody else has to approve it.",
)
_RETRY = Button(action=Press.RETRY, text="Retry", style="primary")
ORDER = _message_of_its_own("order", "order", "team", TeamEvent.ORDER, _REFUND)
TEAM_CONFIRMATION = _message_of_its_own("team_confirmation", "order", "team-confirmed", TeamEvent.CONFIRMATION)
TEAM_SHIPPED = _message_of_its_own("team_shipped", "order", "team-shipped", TeamEvent.SHIPPED)
PAYMENT_FAILED = _to_team("payment_failed", ("order",), "team-alert", TeamEvent.PAYMENT_FAILURE, HOUR, _RETRY)
UNDONE = replace(PAYMENT_FAILED, name="undone", event=TeamEvent.UNDONE, buttons=())
LATE_MONEY = _to_team("late_money", ("order",), "late-money", TeamEvent.PAYMENT_FAILURE, DAY)
APPROVAL_ASKED = _to_team(
    "approval_asked",
    ("order",),
    "approval-asked",
    TeamEvent.APPROVAL,
    DAY,
    Button(action=Press.APPROVE, text="Approve", style="primary"),
    Button(action=Press.REJECT, text="Reject", style="danger"),
)
APPROVAL_DECLINED = _to_team("approval_declined", ("order",), "approval-declined", TeamEvent.APPROVAL, DAY)
ATTENTION_MAIL = NotificationType(
    name="attention_mail",
    kinds=("order", "signup", "release"),
    step="attention-mail",
    channel=Channel.MAIL,
    template="attention",
    subject_line="{{ subject.title }} needs attention",
    useful_seconds=DAY,
    event=TeamEvent.ATTENTION,
)
_ATTENTION = _to_team("attention", ATTENTION_MAIL.kinds, "attention", TeamEvent.ATTENTION, DAY, _RETRY)
ATTENTION = replace(_ATTENTION, fallback=ATTENTION_MAIL)
IN_VAIN = _to_team("pressed_in_vain", ATTENTION_MAIL.kinds, "in-vain", TeamEvent.ATTENTION, HOUR)
RELEASE = replace(_message_of_its_own("release", "release", "message", TeamEvent.RELEASE), template="texts/release")
RELEASE_SILENT = _to_team("release_silent", ("release",), "release-silent", TeamEvent.RELEASE, HOUR)

MAILS = (ORDER_CONFIRMATION, SHIPPED, DELIVERED, REFUND, MONEY_BACK, WELCOME, PAYMENT_CONFIRMATION, BULLETIN)
TYPES: dict[str, NotificationType] = {
    what.name: what
    for what in (
        *MAILS,
        VERIFICATION,
        *(instead for mail in MAILS for instead in mail.fallbacks),
        ORDER,
        TEAM_CONFIRMATION,
        TEAM_SHIPPED,
        PAYMENT_FAILED,
        UNDONE,
        LATE_MONEY,
        APPROVAL_ASKED,
        APPROVAL_DECLINED,
        ATTENTION,
        ATTENTION_MAIL,
        IN_VAIN,
        RELEASE,
        RELEASE_SILENT,
    )
}
"""Every type by its name."""
GREETINGS: dict[Greeting, NotificationType] = {what.greeting: what for what in TYPES.values() if what.greeting is not None}
_BY_STEP: dict[tuple[str, str], NotificationType] = {(kind, what.step): what for what in TYPES.values() for kind in what.kinds}


def fallbacks_of(kind: str, step: str) -> tuple[NotificationType, ...]:
    """
    Return what may be sent when the notification that is this step of such a subject does not arrive, in the order of preference.

    What has a number behind its step, e.g. ``attention.7``, is followed by what has the same number.
    """
    what = _BY_STEP.get((kind, step)) or _BY_STEP.get((kind, step.partition(".")[0]))
    return () if what is None else what.fallbacks
