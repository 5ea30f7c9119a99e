"""SendGrid signs ``timestamp + body`` with a private key of its own and sends many events in one call."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

from sendgrid import EventWebhook

from gateway.openers.delivery import Delivery, NotGenuine, unix_seconds
from gateway.openers.identities import Unreadable, as_object, compact, kind_of, made_from, unreadable
from hub.notices import Notice

PROVIDER = "sendgrid"


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from SendGrid; ``secret`` is the public key (base64 DER) that SendGrid shows.

    No window: repetitions come up to 24 h later, and whether they are dated anew is not documented. What protects is that an event is kept
    once, for good.

    Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    """
    signature = delivery.header("X-Twilio-Email-Event-Webhook-Signature")
    date = unix_seconds(delivery.header("X-Twilio-Email-Event-Webhook-Timestamp"))
    if base64.b64encode(base64.b64decode(signature, validate=True)).decode() != signature:
        raise NotGenuine("the signature is not written as SendGrid writes it")
    if delivery.body[:1].isdigit():
        raise NotGenuine("nothing separates date and body in what is signed, so a body must not begin with a digit")
    if not _verifier(secret).verify_signature(delivery.body.decode(), signature, date):
        raise NotGenuine("the signature is another one")


def notices(delivery: Delivery) -> list[Notice]:
    """Return each event of the batch by itself; one that nobody can read does not harm the others."""
    try:
        batch = json.loads(delivery.body)
    except (ValueError, RecursionError) as nonsense:
        raise Unreadable("the body is no JSON") from nonsense
    return [_notice(element) for element in (batch if isinstance(batch, list) else [batch])]


def _notice(element: Any) -> Notice:
    try:
        event = as_object(element)
        return Notice(provider=PROVIDER, event_id=_identity(event), kind=kind_of(event.get("event")), content=compact(event))
    except Unreadable:
        return unreadable(PROVIDER, json.dumps(element).encode())


def _identity(event: dict[str, Any]) -> str:
    """What makes the event this one. ``sg_event_id`` is not in it: duplicates of one event can have different ones."""
    mail = event.get("effect") or event.get("sg_message_id") or event.get("sg_event_id")
    if mail is None:
        raise Unreadable("no telling which mail it is about")
    details = [event.get(name) for name in ("event", "email", "timestamp", "type", "reason", "attempt", "url", "asm_group_id")]
    return made_from(PROVIDER, mail, *details)


@lru_cache(maxsize=4)
def _verifier(public_key: str) -> EventWebhook:
    return EventWebhook(public_key)
