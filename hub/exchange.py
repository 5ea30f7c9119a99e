"""
What is known about the one HTTP request under way: may it still be sent, was it, and what came back.

The ledger opens an exchange around a provider call; the blocks' transports report to it. It is a context variable, so it reaches
every SDK without passing through its signatures, also into the thread that a synchronous SDK runs in.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LIMIT = 500
READ_LIMIT = 4000  # a provider's megabyte of one letter took a minute of the event loop; an error says what it has to say sooner
_SECRETS_AND_PEOPLE = (
    (re.compile(r"(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"), "[key]"),
    (re.compile(r"(?<![A-Za-z0-9])(?:pi|seti|cs)_[A-Za-z0-9_]+_secret_[A-Za-z0-9_]+"), "[key]"),
    (
        re.compile(
            r"(?<![A-Za-z0-9])(?:sk|rk|pk|whsec|xox[a-z]|xapp|SG|shippo|hub|gh[a-z]|github_pat)[-_.](?=[A-Za-z0-9._-]{6})[A-Za-z0-9._-]+"
        ),
        "[key]",
    ),
    (re.compile(r"(?<![^\s\"<>@:,;])[^\s\"<>@:,;]+(?:@|%40|\\u0040|&#64;)[^\s\"'<>@:,;]+"), "[mail]"),
    (re.compile(r"\+?\d[\d\s().-]{6,}\d"), "[number]"),
)
_EDGES = " \t\r\n\"'<>,;"
_NUMBERS = "0123456789 \t\r\n().+-"


class SendWindowClosed(Exception):
    """The first byte was not written: the moment up to which the ledger had allowed this request is over."""


@dataclass
class Exchange:
    """
    One HTTP request to a provider. ``send_by`` is on this machine's monotonic clock, in seconds.

    ``replayed``: the answer is that of an earlier request under the same idempotency key.
    """

    send_by: float = field(default=float("inf"))
    sent: bool = False
    http_status: int | None = None
    request_id: str | None = None
    provider_text: str | None = None
    replayed: bool = False

    def about_to_write(self) -> None:
        """
        Allow the first byte. A transport calls this when the connection is open and nothing was written yet.

        Raises:
            SendWindowClosed: Too late; the transport must write nothing.
        """
        if time.monotonic() > self.send_by:
            raise SendWindowClosed
        self.sent = True
        self.http_status, self.request_id, self.replayed = (
            None,
            None,
            False,
        )  # of an earlier one, say the page of a list before

    def answered(self, http_status: int, request_id: str | None) -> None:
        """Note that an answer came, whatever it says."""
        self.http_status, self.request_id = http_status, request_id

    def said(self, text: str) -> None:
        """Keep the provider's own words, redacted and cut, for the attempt row and nowhere else."""
        self.provider_text = redacted(text)


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_exchange() -> Exchange:
    """The exchange the ledger has opened, or a fresh one without limits for calls outside of it (look-ups, health checks)."""
    return _current.get() or Exchange()


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[Exchange]:
    """Make ``exchange`` the one that transports report to while the block runs."""
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


def redacted(text: str) -> str:
    """``text`` without keys, mail addresses and long numbers, cut to 500 that can be stored; what stands far behind is not read."""
    if len(text) > READ_LIMIT:
        text = text[:READ_LIMIT]
        text = text[: max(text.rfind(edge) for edge in _EDGES) + 1].rstrip(_NUMBERS)  # half an address would not be known as one
    for pattern, stand_in in _SECRETS_AND_PEOPLE:
        text = pattern.sub(stand_in, text)
    return (
        text[:TEXT_LIMIT].encode(errors="replace").decode().replace("\0", "?")
    )  # what PostgreSQL does not keep, the outcome must not need
