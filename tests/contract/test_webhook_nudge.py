"""Prefect hears of what was kept: once at a time, again after a while, and at once when the last nudge was answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import text

from hub.database import transaction
from hub.inbox_watch import InboxWatch
from tests.contract.signed_calls import fresh, open_door, send


@dataclass
class Listener:
    """Stands where Prefect's API does and takes events; it can do nothing else, so the secrets stay those of the copy."""

    url: str = ""
    heard: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.extend((time.monotonic(), event) for event in json.loads(await request.read()))
        return web.Response(status=204)

    async def fail(self, request: web.Request) -> web.Response:
        return web.Response(status=404 if request.path.endswith("/csrf-token") else 500)

    async def until_heard(self, number: int, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while len(self.heard) < number:
            assert time.monotonic() < deadline, f"{len(self.heard)} events instead of {number}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener, app = Listener(), web.Application()
    app.router.add_post("/api/events", listener.take)
    app.router.add_route("*", "/{anything:.*}", listener.fail)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    listener.url = f"http://{host}:{port}/api"
    try:
        yield listener
    finally:
        await runner.cleanup()


async def all_handled() -> None:
    async with transaction() as session:
        await session.exec(text("UPDATE notices SET next_at = NULL"))  # type: ignore[call-overload]  # SQLModel knows no plain text


async def test_one_nudge_is_unanswered_at_a_time_and_it_is_repeated(hub_database: str, tmp_path: Path) -> None:
    async with listening() as prefect, open_door(tmp_path, hub_database, prefect_url=prefect.url) as gateway:
        answers = await asyncio.gather(*(send(gateway, fresh("stripe")) for _ in range(30)))
        assert {answer.status_code for answer in answers} == {202}
        await prefect.until_heard(1, seconds=5)
        for _ in range(5):
            await send(gateway, fresh("github"))

        await prefect.until_heard(2, seconds=10)
        (first, event), (second, _) = prefect.heard
        assert (event["event"], event["resource"]) == ("hub.notices.kept", {"prefect.resource.id": "hub.inbox"})
        assert 4.5 < second - first < 8

        await all_handled()


async def test_news_after_an_answered_nudge_are_told_at_once(hub_database: str, tmp_path: Path) -> None:
    async with listening() as prefect, open_door(tmp_path, hub_database, prefect_url=prefect.url) as gateway:
        for number in range(1, 4):
            begin = time.monotonic()
            await send(gateway, fresh("custom"))
            await prefect.until_heard(number, seconds=3)
            assert prefect.heard[-1][0] - begin < 1.5
            await all_handled()


async def test_nobody_is_nudged_while_somebody_is_at_it_and_as_soon_as_they_leave_something_behind_prefect_hears(
    hub_database: str, tmp_path: Path
) -> None:
    watch = InboxWatch("somebody")
    async with listening() as prefect, open_door(tmp_path, hub_database, prefect_url=prefect.url) as gateway:
        assert await watch.is_mine()
        await send(gateway, fresh("github"))
        await send(gateway, fresh("stripe"))
        await asyncio.sleep(1)  # nothing is what has to happen
        assert prefect.heard == []

        await watch.leave()
        await prefect.until_heard(1, seconds=2)
        await all_handled()


async def test_what_was_kept_before_nudges_nobody(hub_database: str, tmp_path: Path) -> None:
    call = fresh("github")
    async with listening() as prefect, open_door(tmp_path, hub_database, prefect_url=prefect.url) as gateway:
        await send(gateway, call)
        await prefect.until_heard(1, seconds=5)
        await all_handled()
        assert (await send(gateway, call)).json() == {"kept": 0, "seenBefore": 1}
        await send(gateway, fresh("github"))
        await prefect.until_heard(2, seconds=5)
        await all_handled()

    assert len(prefect.heard) == 2
