"""What the tests of what providers tell share: a listener that understands it as the hub does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from gateway.openers.delivery import Delivery as Call
from gateway.openers.registry import OPENERS
from hub.facts import Fact
from hub.order_steps import ORDER_STEPS
from hub.readings import News, reading_of
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_receiver import Received, Receiver

HUB_ID = UUID("3f1c0000-0000-4000-8000-000000000001")
REFERENCE = {"hub_id": str(HUB_ID), "order_id": "o-1"}


def key(step: str) -> str:
    return f"{HUB_ID}:order:o-1:{step}:1"


class Told:
    """What the hub understands of what comes in. Every kind has a reading, and every reading understands it."""

    def __init__(self, sandbox: Sandbox, receiver: Receiver) -> None:
        self.sandbox, self.receiver = sandbox, receiver

    def news(self) -> list[News]:
        return [news for one in self.receiver.received for news in understood(one)]

    def facts(self) -> list[Fact]:
        return [fact for news in self.news() for fact in news.facts]

    async def until(self, *wanted: Fact | Callable[[Fact], bool]) -> None:
        def is_there(one: Fact | Callable[[Fact], bool]) -> bool:
            return any(one(fact) if callable(one) else one == fact for fact in self.facts())

        try:
            await self.receiver.until(lambda _: all(is_there(one) for one in wanted))
        except TimeoutError:
            pytest.fail(f"{[one for one in wanted if not is_there(one)]} not among {self.facts()}")


def understood(one: Received) -> list[News]:
    target = urlsplit(one.target)
    headers = [(name.lower().encode(), value.encode()) for name, value in one.headers.items()]
    found = []
    for notice in OPENERS[one.provider].notices(Call(one.body, headers, target.path, target.query, time.time())):
        reading = reading_of(notice.provider, notice.kind)
        assert notice.readable
        assert reading is not None, f"nobody reads {notice.kind} of {notice.provider}"
        if (news := reading(json.loads(notice.content))) is not None:
            found.append(news)
    return found


def meant(step: str, answer: Any) -> Fact:
    """The fact that the ledger makes of an answer."""
    fact = ORDER_STEPS[step].means(1, answer).fact
    assert fact is not None
    return fact
