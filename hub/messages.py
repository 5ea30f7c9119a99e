"""What we say to customers and to the team, and what the channel gives back."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

from pydantic import Field

from hub.values import Frozen

E164 = r"^\+[1-9][0-9]{6,14}$"
"""A phone number as the world writes it. Source: https://www.itu.int/rec/T-REC-E.164"""
LONGEST_NAME, _DIGEST_LENGTH = 32, 6
_NO_WORDS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz234567", b"0123456789abcdefghjkmnpqrstvwxyz")  # Crockford's, in base 32


class Mail(Frozen):
    """One mail to one person, complete. ``metadata`` comes back on the provider's events (hub_id, order_id)."""

    to_email: str
    to_name: str
    subject: str
    text: str
    html: str
    metadata: dict[str, str]


class SentMail(Frozen):
    """A mail that the provider has accepted; delivery is a later fact."""

    message_id: str


class Button(Frozen):
    """What somebody can press below a message; ``action`` is what we are told then. ``sure``: what they are asked before it counts."""

    action: str
    text: str
    style: Literal["primary", "danger"]
    sure: str | None = None


class TeamMessage(Frozen):
    """
    A message to a team channel. ``channel`` is the channel's id, not its name: only ids can be looked up again.

    ``thread``: the id of the message that it replies to; the channel sees it all the same. ``shows``: how far its subject is, in one word,
    where the message says so; Slack does not get it.
    """

    channel: str
    text: str
    metadata: dict[str, str]
    buttons: tuple[Button, ...] = ()
    thread: str | None = None
    shows: str | None = None


class MessageUpdate(Frozen):
    """What a message that was posted to a team channel says and shows from now on; ``timestamp`` is its id there."""

    channel: str
    timestamp: str
    text: str
    metadata: dict[str, str]
    buttons: tuple[Button, ...] = ()
    shows: str | None = None


class PostedMessage(Frozen):
    """A message in a channel; ``timestamp`` is its id there."""

    channel: str
    timestamp: str


class TextRequest(Frozen):
    """
    One short message to one phone, complete but for the reference that is added at its end.

    ``status_callback`` is where Twilio tells what becomes of it; the effect's key is added to it. Twilio keeps no ``metadata``: it stays in
    our ledger.
    """

    to: str = Field(pattern=E164)
    text: str = Field(min_length=1, max_length=1500)
    status_callback: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class SentText(Frozen):
    """A short message that the provider has accepted. ``status`` is the provider's word, e.g. ``queued``; delivery is a later fact."""

    sid: str
    status: str


def text_reference(key: str) -> str:
    """
    Return what stands at the end of the text sent under ``key``, e.g. ``Ref o-1001.5tk2vd``.

    A customer can read it out: the name of the order or sign-up, and six letters or digits that differ from effect to effect and from hub
    to hub. They are made from the whole key: two texts about one order are confused once in 2 ** 30.
    """
    name = next(iter(key.split(":")[2:]), "hub")[:LONGEST_NAME]
    digest = base64.b32encode(hashlib.sha256(key.encode()).digest()).lower().translate(_NO_WORDS).decode()
    return f"Ref {name}.{digest[:_DIGEST_LENGTH]}"
