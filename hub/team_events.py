"""What the team hears of: each kind of event can have a channel of its own (``HUB_TEAM_CHANNELS``)."""

from __future__ import annotations

from enum import StrEnum


class TeamEvent(StrEnum):
    """
    A kind of event.

    ``order``: a new order with its total, and how far it is from then on. ``payment_failure``: also money that came late. ``undone``: an
    order was cancelled, or nobody ships it. ``attention``: also what reached nobody, and buttons that were pressed in vain.
    """

    ORDER = "order"
    CONFIRMATION = "confirmation"
    SHIPPED = "shipped"
    PAYMENT_FAILURE = "payment_failure"
    UNDONE = "undone"
    APPROVAL = "approval"
    ATTENTION = "attention"
    RELEASE = "release"
