"""What makes two deliveries the same notice: the provider's own id where it is stable, else what it means, hashed."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from hub.notices import Notice

_PLAIN = re.compile(r"[!-~]{1,200}")
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def _no_number(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are no JSON


_DECODER = json.JSONDecoder(parse_constant=_no_number)  # json.loads would make one for every body


class Unreadable(Exception):
    """It is from the provider, and nobody can make anything of it. It is kept all the same."""


def made_from(*meaning: Any) -> str:
    """Return an id made from what the event means, for providers without a stable id of their own: equal meaning, equal id."""
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def plain_id(value: Any) -> str:
    """
    Return the provider's own id: printable ASCII without blanks, 200 characters at most.

    Raises:
        Unreadable: It is something else, which no provider of ours sends.
    """
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Unreadable("the event has no usable id")
    return value


def kind_of(value: Any) -> str:
    """
    Return the provider's event type.

    Raises:
        Unreadable: There is none that could be one.
    """
    if not isinstance(value, str) or not _KIND.fullmatch(value):
        raise Unreadable("the event has no usable type")
    return value


def object_in(content: bytes | str) -> dict[str, Any]:
    """
    Return the JSON object that ``content`` is.

    Raises:
        Unreadable: It is none.
    """
    try:
        found = _DECODER.decode(content if isinstance(content, str) else content.decode())
    except (ValueError, RecursionError) as nonsense:  # ValueError: also bytes that are no UTF-8, and numbers of thousands of digits
        raise Unreadable("the body is no JSON") from nonsense
    return as_object(found)


def as_object(value: Any) -> dict[str, Any]:
    """
    Return ``value`` if it is a JSON object.

    Raises:
        Unreadable: It is something else.
    """
    if not isinstance(value, dict):
        raise Unreadable("a JSON object was expected")
    return value


def compact(value: Any) -> bytes:
    """
    Return ``value`` as JSON without blanks, in ASCII.

    Raises:
        Unreadable: It holds a number that JSON does not know.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as nonsense:
        raise Unreadable("it holds a number that JSON does not know") from nonsense


def unreadable(provider: str, content: bytes) -> Notice:
    """Return the notice for something that is from the provider and that nobody can read; the same content is the same notice."""
    return Notice(
        provider=provider, event_id=f"unreadable:{hashlib.sha256(content).hexdigest()}", kind="unreadable", content=content, readable=False
    )
