"""A small real server that receives webhooks: it keeps them as they came, and can be told to answer badly or slowly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request as it came in; ``target`` is path and query, unchanged."""

    target: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def provider(self) -> str:
        return self.target.partition("?")[0].rpartition("/")[2]


class Receiver:
    """What came, in order, and what is answered: ``answers`` are the statuses to come, then 200; 0 cuts the line."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[int] = []
        self.seconds = 0.0
        self.headers: dict[str, str] = {}
        self.url = ""

    def to(self, provider: str) -> list[Received]:
        return [one for one in self.received if one.provider == provider]

    async def until(self, condition: Callable[[list[Received]], bool], seconds: float = 5) -> list[Received]:
        """Return what came once ``condition`` is true of it."""
        deadline = time.monotonic() + seconds
        while not condition(self.received):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s; what came: {[one.target for one in self.received]}")
            await asyncio.sleep(0.01)
        return self.received

    async def until_count(self, count: int, provider: str = "stripe") -> list[Received]:
        await self.until(lambda _: len(self.to(provider)) >= count)
        return self.to(provider)

    def clear(self) -> None:
        self.received.clear()
        self.answers.clear()
        self.headers.clear()
        self.seconds = 0.0

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append(Received(request.raw_path, request.headers.copy(), body))
        status = self.answers.pop(0) if self.answers else 200
        await asyncio.sleep(self.seconds)
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status or 500, headers=self.headers, text="ok")


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback, at ``receiver.url``."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()
