"""A notice: one thing that a provider told us, verified and kept exactly as it came, and how far we are with it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from hub.values import Frozen

LONGEST_EVENT_ID = 200


class NoticeState(StrEnum):
    """
    How far a notice is.

    ``kept``: to be handled. ``early``: its subject is not here yet; looked at again until it is too old. ``handled``: applied.
    ``not_for_us``: understood, and nothing to do with this hub's subjects. ``quarantined``: it contradicts the ledger, and a person has to
    look. ``failed``: nobody understands it, or handling it failed too often; ``hub notices replay`` tries again.
    """

    KEPT = "kept"
    EARLY = "early"
    HANDLED = "handled"
    NOT_FOR_US = "not_for_us"
    QUARANTINED = "quarantined"
    FAILED = "failed"


class Notice(Frozen):
    """
    One event of one provider, as an opener hands it over.

    ``event_id`` is the same whenever the provider tells the same again; ``kind`` is the provider's own event type, e.g.
    ``payment_intent.succeeded``; ``content`` is the raw body, or the element of a batch as JSON. ``readable`` is False for what was
    verified but is not what this provider sends.
    """

    provider: str
    event_id: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_EVENT_ID)]
    kind: str
    content: bytes
    readable: bool = True

    @property
    def identity(self) -> tuple[str, str]:
        """What is unique about it: the provider and its event id."""
        return self.provider, self.event_id
