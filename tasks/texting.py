"""What people read on the phone because their mail did not arrive."""

from __future__ import annotations

from hub.effects import Effect
from hub.notification_types import CONFIRMATION_TEXT
from hub.subjects import Subject
from tasks.notifying import Sent, notifies, send


@notifies(CONFIRMATION_TEXT, "text customer {subject.id}")
async def text_instead(subject: Subject, owed: Effect) -> Sent:
    """Text what a mail could not tell."""
    del subject  # what makes the cache key
    return await send(owed)
