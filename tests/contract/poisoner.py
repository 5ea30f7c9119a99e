"""A server that takes any request and answers it with poison: what no provider should say, and any proxy between us and it may."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any

MEGABYTE = 1024 * 1024
FIELDS = (
    *("id", "object", "amount", "amount_received", "currency", "status", "latest_charge", "payment_intent", "data", "has_more", "metadata"),
    *("object_id", "rates", "results", "next", "rate", "tracking_number", "label_url", "ok", "channel", "ts", "messages", "error"),
    *("sid", "body", "date_created", "next_page_uri", "profiles", "reference", "email", "full_name", "preferences", "errors", "code"),
)


@dataclass(frozen=True)
class Poison:
    """What an answer's body is made of, piece by piece, ``seconds`` apart; ``lost``: it is never whole, and never too long."""

    pieces: Callable[[], Iterable[bytes]]
    length: int | None = None
    seconds: float = 0
    lost: bool = False
    kind: str = "application/json"


def _whole(body: bytes, **more: Any) -> Poison:
    return Poison(lambda: [body], len(body), **more)


def _said(answer: Any) -> Poison:
    return _whole(json.dumps(answer).encode())


POISONS = {
    "nothing": _whole(b""),
    "no field at all": _said({}),
    "a list": _said([1]),
    "null": _said(None),
    "a text": _said("ok"),
    "numbers for texts": _said(dict.fromkeys(FIELDS, -1.5)),
    "texts for all": _said(dict.fromkeys(FIELDS, "17")),
    "objects for all": _said({name: {"id": []} for name in FIELDS}),
    "lists of nothing good": _said({name: [None, 1, "x", {}] for name in FIELDS}),
    "a page for people": _whole(b"<!doctype html><html><title>Sign in</title></html>", kind="text/html"),
    "no text": _whole(b'\xff\xfe{"id": "\xf0\x28\x8c\x28"}'),
    "a hundred thousand brackets": _whole(b"[" * 100_000),
    "half of it": Poison(lambda: [b'{"id": "pi_'], 4000, lost=True),
    "five megabytes": Poison(lambda: [b'{"id": "', *repeat(b"x" * 65_536, 80), b'"}'], 8 + 80 * 65_536 + 2),
    "megabytes without end": Poison(lambda: repeat(b" " * 65_536)),
    "a drop now and then": Poison(lambda: repeat(b" "), seconds=0.05, lost=True),
}


@dataclass
class Poisoner:
    """Answers with ``poison`` and ``status``; ``asked`` counts the requests."""

    poison: Poison
    url: str = ""
    status: int = 200
    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it; who hangs up, or is cancelled, leaves no connection behind."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                await reader.readexactly(_length_in(head))
                await self._answer(reader, writer)
                writer.close()
                await writer.wait_closed()
            finally:
                writer.transport.abort()
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = "" if self.poison.length is None else f"Content-Length: {self.poison.length}\r\n"
        writer.write(f"HTTP/1.1 {self.status} Poison\r\nContent-Type: {self.poison.kind}\r\n{length}Connection: close\r\n\r\n".encode())
        for piece in self.poison.pieces():
            if reader.at_eof():
                return
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self.poison.seconds)


def _length_in(head: bytes) -> int:
    named = [line.partition(b":")[2] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return int(named[0]) if named else 0


@asynccontextmanager
async def poisoner(poison: Poison) -> AsyncIterator[Poisoner]:
    """A poisoner on a free port."""
    answering, at_work = Poisoner(poison), set[asyncio.Task[None]]()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_work.add(asyncio.create_task(answering.serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    answering.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield answering
    server.close()
    for task in at_work:
        task.cancel()
    await asyncio.gather(*at_work, return_exceptions=True)
    await server.wait_closed()
