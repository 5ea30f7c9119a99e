"""
What becomes of a mail after SendGrid took it, as its Event Webhook tells: on its way, delivered, bounced, opened.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import re
import time
from typing import Any

from sandbox.callback_delivery import Callback
from sandbox.calls import World, new_id

NAME = "sendgrid"
_ORDINARY = ("processed", "delivered")
# By the first word of the address, before @, +, ., - and _.
_STORIES = {
    "bounce": ("processed", "bounce"),
    "dropped": ("dropped",),
    "deferred": ("processed", "deferred", "delivered"),
    "spamreport": ("processed", "delivered", "spamreport"),
    "unsubscribe": ("processed", "delivered", "unsubscribe"),
}
_SERVER = {"ip": "127.0.0.1"}
_BROWSER = {"ip": "127.0.0.1", "useragent": "Mozilla/5.0 (rehearsal)"}
_DETAILS: dict[str, dict[str, Any]] = {
    "delivered": {**_SERVER, "tls": 1, "response": "250 2.0.0 OK"},
    "deferred": {**_SERVER, "tls": 1, "attempt": "1", "response": "450 4.2.1 The mailbox is busy, try again later"},
    "bounce": {
        **_SERVER,
        "tls": 1,
        "type": "bounce",
        "status": "5.1.1",
        "bounce_classification": "Invalid Address",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
    },
    "dropped": {"status": "5.0.0", "reason": "Bounced Address"},
    "open": {**_BROWSER, "sg_machine_open": False},
    "click": {**_BROWSER, "url": "https://example.com/"},
}
EVENTS = ("processed", "deferred", "delivered", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe")


def follow(world: World, mail: dict[str, Any]) -> None:
    """Tell the whole story of a mail that was just taken, for each of its recipients."""
    for address in mail["recipients"]:
        for kind in _STORIES.get(re.split(r"[@+._-]", address.lower(), maxsplit=1)[0], _ORDINARY):
            tell(world, mail, kind, address)


def tell(world: World, mail: dict[str, Any], kind: str, address: str, **more: Any) -> dict[str, Any]:
    """Tell one event about one recipient and return it; custom arguments never hide a field of SendGrid's own."""
    identity = new_id("", 22)
    event = {
        **mail["custom_args"],
        "email": address,
        "timestamp": int(time.time()),
        "smtp-id": f"<{mail['message_id']}@rehearsal.example.com>",
        "event": kind,
        **({"category": mail["categories"]} if mail["categories"] else {}),
        "sg_event_id": identity,
        "sg_message_id": mail["id"],
        **_DETAILS.get(kind, {}),
        **more,
    }
    world.callbacks.post(Callback(NAME, kind, identity, event))
    return event
