"""
The last yard before the wire, for httpx and aiohttp.

Both ask the exchange before the first byte of a request is written on an open connection, tell it what came back, follow no redirect,
use no proxy of the environment, and read at most 1 MiB of an answer. What this module raises, and what the libraries raise, is put into
our words by `blocks.translation`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx

from hub.exchange import current_exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from email.message import Message

    from aiohttp.connector import Connection

ANSWER_LIMIT_BYTES = 1024 * 1024
CONNECTIONS = 50
KEEP_ALIVE_SECONDS = 4  # below the 5 s of uvicorn and many load balancers: a connection they are about to close is not picked up
_REQUEST_ID_HEADERS = ("request-id", "x-request-id", "x-slack-req-id", "x-message-id", "twilio-request-id", "x-github-request-id")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400


def _without_query(record: logging.LogRecord) -> bool:
    """Let the record pass; an address in it loses its query, in which look-ups name the customer's number or mail address."""
    if isinstance(record.args, tuple):
        record.args = tuple(value.copy_with(query=None) if isinstance(value, httpx.URL) else value for value in record.args)
    return True


logging.getLogger("httpx").addFilter(_without_query)  # it logs the whole address of every request


class UnusableAnswer(Exception):
    """An answer came that we do not read: too long, compressed against our wish, or a redirect."""


def request_id_in(headers: Mapping[str, str] | Message) -> str | None:
    """Return the provider's id of the request, when it named one that is fit for a log line."""
    for name in _REQUEST_ID_HEADERS:
        if (found := headers.get(name)) is not None and _PLAIN_ID.fullmatch(found):
            return found
    return None


class GuardedClient(httpx.AsyncClient):
    """An ``httpx.AsyncClient`` on guarded connections, with a limit for each whole call, the reading of its answer included."""

    def __init__(self, *, timeout_seconds: float, base_url: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            base_url=base_url,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            transport=GuardedTransport(),
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )
        self._timeout_seconds = timeout_seconds

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """
        Send ``request`` and read its answer.

        Raises:
            TimeoutError: The whole call took longer than the limit.
            httpx.HTTPError: The connection could not be made, or broke.
            SendWindowClosed: Too late to write the first byte; nothing was written.
            UnusableAnswer: Longer than 1 MiB, or compressed.
        """
        async with asyncio.timeout(self._timeout_seconds):
            return await super().send(request, **options)


class GuardedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 connections that ask the exchange before each request's first byte and tell it about the answer."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS)
        self._inner = httpx.AsyncHTTPTransport(http1=True, http2=False, retries=0, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; its answer's body stops with ``UnusableAnswer`` after 1 MiB."""
        exchange = current_exchange()

        async def watch(event: str, _: Mapping[str, Any]) -> None:
            if event == "http11.send_request_headers.started":
                exchange.about_to_write()

        request.extensions = {**request.extensions, "trace": watch}
        response = await self._inner.handle_async_request(request)
        exchange.answered(response.status_code, request_id_in(response.headers))
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise UnusableAnswer("compressed")
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - narrows httpx's union of stream types
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_ShortBody(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _ShortBody(httpx.AsyncByteStream):
    """A body that is given up on after 1 MiB."""

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._body:
            seen += len(chunk)
            if seen > ANSWER_LIMIT_BYTES:
                raise UnusableAnswer("longer than 1 MiB")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()


class GuardedRequest(aiohttp.ClientRequest):
    """A request that asks the exchange once its connection is open and nothing is written yet."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, if that is still allowed."""
        current_exchange().about_to_write()
        return await super().send(conn)


class GuardedResponse(aiohttp.ClientResponse):
    """An answer that tells the exchange about itself, is no redirect, and is given up on after 1 MiB."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read status and headers."""
        response = await super().start(connection)
        current_exchange().answered(self.status, request_id_in(self.headers))
        if _FIRST_REDIRECT <= self.status < _FIRST_ERROR:
            raise UnusableAnswer("a redirect")  # the Slack SDK offers no way to say allow_redirects=False
        return response

    async def read(self) -> bytes:
        """Read the body once and keep it."""
        if self._body is None:
            body = bytearray()
            async for chunk in self.content.iter_any():
                body += chunk
                if len(body) > ANSWER_LIMIT_BYTES:
                    self.close()
                    raise UnusableAnswer("longer than 1 MiB")
            self._body = bytes(body)
        return self._body


def guarded_session(timeout_seconds: float) -> aiohttp.ClientSession:
    """Return an aiohttp session on guarded connections; whoever asked closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        headers={"Accept-Encoding": "identity"},
        request_class=GuardedRequest,
        response_class=GuardedResponse,
        auto_decompress=False,
        trust_env=False,
    )
