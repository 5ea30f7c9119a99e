"""
The last yard before the wire for a synchronous SDK (urllib) in a worker thread.

The event loop can cut the line: a thread that was given up on neither writes its first byte later nor stays in a slow answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from blocks.transports import ANSWER_LIMIT_BYTES, UnusableAnswer, request_id_in
from hub.exchange import SendWindowClosed, current_exchange

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Line:
    """One request in a worker thread with a time limit, and the means to cut it off from outside."""

    def __init__(self, timeout_seconds: float) -> None:
        self._ends_at = time.monotonic() + timeout_seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def opened(self, connection: socket.socket) -> None:
        """
        Ask whether the first byte may be written on ``connection``.

        Raises:
            SendWindowClosed: Too late, be it that the call waited for a thread until its limit, or that the line was cut.
        """
        with self._lock:
            if self._cut or time.monotonic() > self._ends_at:
                raise SendWindowClosed
            current_exchange().about_to_write()
            self._socket = connection

    def cut(self) -> None:
        """End the request: no first byte from now on, and whoever waits for an answer stops waiting."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with contextlib.suppress(OSError):  # already closed
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # of the plain socket: wakes a thread that reads TLS


_line: ContextVar[Line] = ContextVar("line")


async def in_thread(threads: ThreadPoolExecutor, timeout_seconds: float, call: Callable[[], Result]) -> Result:
    """
    Return what ``call`` returns in a worker thread that sees this task's context variables.

    Raises:
        TimeoutError: It took longer; its connection is closed and its thread comes free.
    """
    line = Line(timeout_seconds)
    token = _line.set(line)
    try:
        context = copy_context()
    finally:
        _line.reset(token)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await asyncio.get_running_loop().run_in_executor(threads, partial(context.run, call))
    finally:
        line.cut()


class ShortResponse(http.client.HTTPResponse):
    """An answer that tells the exchange about itself, and is given up on after 1 MiB."""

    def begin(self) -> None:
        """Read status and headers."""
        super().begin()
        current_exchange().answered(self.status, request_id_in(self.headers))

    def read(self, amt: int | None = None) -> bytes:
        """Read up to ``amt`` bytes, or all of at most 1 MiB. A body that cannot be had whole closes the connection."""
        if amt is not None:
            return super().read(amt)
        try:
            return self._whole(super().read(ANSWER_LIMIT_BYTES + 1))
        except BaseException:
            self.close()
            raise

    def _whole(self, body: bytes) -> bytes:
        if len(body) > ANSWER_LIMIT_BYTES:
            raise UnusableAnswer("longer than 1 MiB")
        if self.length:  # reading with a limit does not complain about a body that ends early
            raise http.client.IncompleteRead(body, self.length)
        return body


class _Guarded(http.client.HTTPConnection):
    response_class = ShortResponse

    def connect(self) -> None:
        """Open the connection; http.client writes the request right after this, unless this raises."""
        super().connect()
        _line.get().opened(self.sock)


class _GuardedTLS(http.client.HTTPSConnection):
    response_class = ShortResponse

    def connect(self) -> None:
        """Open the connection, TLS included."""
        super().connect()
        _line.get().opened(self.sock)


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Guarded, req)


class _TLSHandler(urllib.request.HTTPSHandler):
    def __init__(self) -> None:
        super().__init__()
        self._trusted = ssl.create_default_context()

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_GuardedTLS, req, context=self._trusted)


def guarded_opener() -> urllib.request.OpenerDirector:
    """Return an opener on guarded connections that knows no proxies and follows no redirects: those are errors like a 4xx."""
    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (
        _PlainHandler(),
        _TLSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener
