"""
What erasing a person leaves of what is stored: all that is not about them, and in the place of the rest what our models still take.

Fields are known by their names, wherever they stand: in requests, answers, snapshots. Nobody can be reached at what takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from hub.messages import Mail, TextRequest

ERASED = "erased"
ERASED_EMAIL = "erased@example.com"
"""
Nobody's address, now and ever: https://www.rfc-editor.org/rfc/rfc2606. Of the names that are kept for that, ``.invalid`` would say it
better, but no model takes it for an address.
"""
ERASED_PHONE = "+9990000000"
"""Nobody's number: country code 999 is not given out. Source: https://www.itu.int/pub/T-SP-E.164D"""

IN_PLACE: dict[str, Any] = {
    **dict.fromkeys(("email", "to_email"), ERASED_EMAIL),
    **dict.fromkeys(("name", "full_name", "fullName", "to_name"), ERASED),
    **dict.fromkeys(("street", "address", "city", "state", "zip"), ERASED),
    **dict.fromkeys(("phone", "phone_number", "phoneNumber"), None),
    "to": ERASED_PHONE,
    **dict.fromkeys(("subject", "text", "html"), ERASED),  # what was written to them, or about them
    **dict.fromkeys(("label_url", "tracking_url"), None),  # whoever has the link reads the address
    "newsletter": False,
}
"""By the name of a field: what takes the place of what stands there."""
NAMES = ("email", "name", "full_name", "fullName", "phone", "phone_number", "phoneNumber", "street")
"""What a person is known by, wherever else it may have been written; many live in the same town."""
FREE_TEXT = ("reason", "because")
"""Of facts, what people have typed; all else are ids, codes and amounts."""


def erased(value: Any) -> Any:
    """Return a JSON value without what is about a person."""
    match value:
        case dict():
            return {name: IN_PLACE[name] if name in IN_PLACE and inner is not None else erased(inner) for name, inner in value.items()}
        case list():
            return [erased(inner) for inner in value]
        case _:
            return value


def is_erased(request: dict[str, Any]) -> bool:
    """Tell whether a subject's request is that of somebody who was forgotten."""
    return ERASED_EMAIL in (request.get("email"), request.get("customer", {}).get("email"))


def is_to_nobody(message: Any) -> bool:
    """Tell whether a message is to somebody who was forgotten."""
    return (isinstance(message, Mail) and message.to_email == ERASED_EMAIL) or (
        isinstance(message, TextRequest) and message.to == ERASED_PHONE
    )


def words_in(request: dict[str, Any]) -> set[str]:
    """Return what the person is known by whose request this is: address, name, phone number, street."""
    found = {value for name, value in request.items() if name in NAMES and isinstance(value, str)}
    return found.union(*(words_in(inner) for inner in request.values() if isinstance(inner, dict)))


def without(text: str, words: Collection[str]) -> str:
    """Return a text that people have typed without these words, in whatever letters."""
    if not words:
        return text
    any_of_them = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{any_of_them})(?!\w)", ERASED, text, flags=re.IGNORECASE)


def fact_without(data: dict[str, Any], words: Collection[str]) -> dict[str, Any]:
    """Return a fact's data without these words in what people have typed."""
    return {name: without(value, words) if name in FREE_TEXT and isinstance(value, str) else value for name, value in data.items()}
