"""Writes notifications: a type, a subject and the words that only its step knows become a complete message."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from hub.messages import Mail, TeamMessage, TextRequest
from hub.notification_model import Channel, NotificationType, Recipient
from hub.notification_types import ORDER
from hub.settings import settings
from hub.subjects import Subject

Message = Mail | TextRequest | TeamMessage

_templates = Environment(
    loader=PackageLoader("hub"),
    autoescape=select_autoescape(["html"], default_for_string=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compose(what: NotificationType, subject: Subject, **words: Any) -> Message:
    """
    Return the message that ``what`` is, about ``subject``.

    Templates know it as ``subject``, ``order``, ``signup`` or ``release``, whom it is about as ``person``, and the type as ``what``.
    ``shows``, where it is given, is how far the message says that its subject is. There are no buttons where nobody may press.

    Raises:
        UndefinedError: A template asks for a word that is not there; a message with a gap is not written.
    """
    person = recipient_of(what, subject)
    words = {"what": what, "subject": subject, subject.kind: subject, "person": person, **words}
    if what.channel is Channel.SLACK:
        return TeamMessage(
            channel=channel_of(what),
            text=_short(what, words),
            metadata=subject.reference,
            buttons=what.buttons if settings().approvers else (),
            shows=words.get("shows"),
        )
    if person is None:
        raise TypeError(f"{subject.title} is about nobody who could be written to")
    match what.channel:
        case Channel.MAIL:
            return Mail(
                to_email=person.email,
                to_name=person.name,
                subject=_templates.from_string(what.subject_line).render(words),
                text=_templates.get_template(f"{what.template}.txt").render(words),
                html=_templates.get_template(f"{what.template}.html").render(words),
                metadata=subject.reference,
            )
        case Channel.SMS:
            callback = f"{settings().webhooks_base_url}/webhooks/twilio"
            return TextRequest(to=person.phone or "", text=_short(what, words), status_callback=callback, metadata=subject.reference)


def channel_of(what: NotificationType) -> str:
    """Return the id of the Slack channel in which the team hears of it."""
    if what.event is None:
        raise TypeError(f"{what.name} is not for the team")
    return settings().channel_for(what.event)


def has_channel_of_its_own(what: NotificationType) -> bool:
    """Tell whether the team hears of it elsewhere than of the order itself, whose message says the same."""
    return channel_of(what) != channel_of(ORDER)


def recipient_of(what: NotificationType, subject: Subject) -> Recipient | None:
    """Return whom it is written to, or about: the subject's person, or who is on call for the team; a preview goes to ourselves."""
    if what.event is None or what.channel is not Channel.MAIL:
        return subject.recipient
    return Recipient(email=settings().attention_mail or settings().mail_from, name="on call")


def _short(what: NotificationType, words: dict[str, Any]) -> str:
    return _templates.get_template(f"{what.template}.txt").render(words).strip()
