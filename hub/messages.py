"""What we say to customers and to the team, and what the channel gives back."""

from __future__ import annotations

from hub.values import Frozen


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


class TeamMessage(Frozen):
    """A message to a team channel. ``channel`` is the channel's id, not its name: only ids can be looked up again."""

    channel: str
    text: str
    metadata: dict[str, str]


class PostedMessage(Frozen):
    """A message in a channel; ``timestamp`` is its id there."""

    channel: str
    timestamp: str
