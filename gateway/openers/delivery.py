"""One webhook call as it came over the wire, and the few questions that every signature scheme asks of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_SECONDS = 300
_UNIX_DIGITS = 11  # until the year 5138; more digits are no date, and int() of very many is slow


class NotGenuine(Exception):
    """This is not surely the provider. The text is for us; the sender hears nothing of it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook call: raw bytes, headers with lower-case names as ASGI gives them, path and query as sent, unix seconds of arrival."""

    body: bytes
    headers: Sequence[tuple[bytes, bytes]]
    path: str
    query: str
    received_at: float

    def header(self, name: str) -> str:
        """
        Return the one value of the header.

        Raises:
            NotGenuine: It is missing, given twice (which of them was checked?), or not printable ASCII.
        """
        wanted = name.lower().encode()
        values = [value for key, value in self.headers if key == wanted]
        if len(values) != 1:
            raise NotGenuine(f"{name} stands there {len(values)} times")
        text = values[0].decode("ascii")
        if not text or not text.isprintable():
            raise NotGenuine(f"{name} is empty or holds control characters")
        return text

    def must_be_recent(self, stamp: str) -> None:
        """
        ``stamp``, unix seconds, is at most 300 s old and at most 300 s in the future.

        Only for schemes that date each delivery anew: a repetition of an old event is then as young as a first one.

        Raises:
            NotGenuine: It is not, or it is no date.
        """
        if abs(self.received_at - int(unix_seconds(stamp))) > WINDOW_SECONDS:
            raise NotGenuine("stale, or from the future")


def unix_seconds(stamp: str) -> str:
    """
    Return ``stamp`` if it is nothing but digits: a sign, a blank or an underscore would be another text for the same number.

    Raises:
        NotGenuine: It is something else.
    """
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= _UNIX_DIGITS):
        raise NotGenuine("the date is no unix time")
    return stamp


def hmac_sha256(secret: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 of the parts in a row."""
    mac = hmac.new(secret, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(part)
    return mac.digest()


def must_match(expected: str, given: Sequence[str]) -> None:
    """
    One of the ``given`` signatures is the ``expected`` one; how long it takes does not tell which byte differs.

    Raises:
        NotGenuine: None of them is.
    """
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise NotGenuine("the signature is another one")


def dated_signatures(header: str) -> tuple[str, list[str]]:
    """
    Take a header like ``t=1614265330,v1=5257a8…,v1=…`` apart: the date and the v1 signatures.

    Raises:
        NotGenuine: It has not exactly one date, or no v1 signature.
    """
    pairs = [part.partition("=") for part in header.split(",")]
    dates = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(dates) != 1 or not signatures:
        raise NotGenuine("the signature header needs one t and at least one v1")
    return unix_seconds(dates[0]), signatures
