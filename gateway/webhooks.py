"""
The door for webhooks: verify, keep, answer, nudge.

Plain ASGI, because FastAPI's routing and dependencies cost more than everything that happens here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.group_commit import GroupCommit
from gateway.nudge import Nudge
from gateway.openers.delivery import Delivery, NotGenuine
from gateway.openers.registry import OPENERS
from gateway.refusals import Refusals
from gateway.trust import Believed

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

PATH = "/webhooks/"
_JSON = (b"content-type", b"application/json")
_AGAIN = (b"retry-after", b"2")


class Door:
    """``POST /webhooks/{provider}``. ``home`` is where the copy of the secrets lies."""

    def __init__(self, home: Path) -> None:
        self._believed = Believed(home)
        self._inbox = GroupCommit()
        self._refusals = Refusals()
        self._nudge = Nudge()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Secrets are loaded and refreshed, nudges sent, refusals written down, while the block runs."""
        await self._believed.recall()
        work = (self._believed.keep_fresh(), self._nudge.keep_nudging(), self._refusals.keep_writing())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._believed.stop()
            await self._inbox.drained()
            await self._refusals.write()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one webhook; ``receive`` gives the whole body at once, as `BodyLimit` sees to."""
        status, body, headers = await self._answer(scope, receive)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
        provider = scope["path"].removeprefix(PATH)
        opener = OPENERS.get(provider)
        if opener is None:
            return _said(HTTPStatus.NOT_FOUND, f"nobody calls back here; there are {', '.join(OPENERS)}")
        if scope["method"] != "POST":
            return _said(HTTPStatus.METHOD_NOT_ALLOWED, "webhooks are POSTs", (b"allow", b"POST"))
        trust = self._believed.of(provider) or await self._believed.asked(provider)
        if trust is None:
            return _said(HTTPStatus.SERVICE_UNAVAILABLE, f"no webhook secret is known for {provider}; come again", _AGAIN)
        delivery = Delivery(
            body=(await receive()).get("body", b""),
            headers=scope["headers"],
            path=scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            received_at=time.time(),
        )
        try:
            opened = opener.open(delivery, [secret.get_secret_value() for secret in trust.secrets], by_token=trust.by_token)
        except NotGenuine:
            self._refusals.count(provider)
            return _said(HTTPStatus.UNAUTHORIZED, "this is not surely the provider")
        try:
            counted = await self._inbox.keep(opened.notices)
        except Exception as failure:  # noqa: BLE001 - nothing is lost: whatever it is, the provider comes again
            log.error("what %s told is not kept (%s); it will come again", provider, type(failure).__name__)  # noqa: TRY400 - a traceback per refused delivery would fill the disk while the database is down
            return _said(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer; come again", _AGAIN)
        if counted.newest:
            self._nudge.about(counted.newest)
        if opened.answer is not None:
            return HTTPStatus.OK, opened.answer, ()
        return HTTPStatus.ACCEPTED, b'{"kept":%d,"seenBefore":%d}' % (counted.kept, counted.seen_before), ()


def _said(status: HTTPStatus, detail: str, *headers: tuple[bytes, bytes]) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
    return status, json.dumps({"detail": detail}).encode(), headers
