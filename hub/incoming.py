"""What orders, sign-ups and releases have in common as they come in: ids, texts, currencies, tokens, and how two requests are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from hub.messages import E164
from hub.money import exponent

LARGEST_AMOUNT = (
    99_999_999  # what Stripe takes in one charge, https://docs.stripe.com/api/payment_intents/object#payment_intent_object-amount
)

COUNTED_OTHERWISE = ("isk", "mga", "ugx")
"""Refused, because a mistake would charge 100 times too much or too little: https://docs.stripe.com/currencies#special-cases"""

SUBJECT_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ID_WORDS = "Letters, digits, dot, underscore and dash; at most 64."
PAYMENT_METHOD = r"^[a-z]+_[A-Za-z0-9_]{3,120}$"
"""What a payment provider's tokens look like; part of the schema, so Prefect refuses a card number before storing it."""

_SHAPES = {
    SUBJECT_ID: "letters, digits, dot, underscore and dash only, at most 64, and first a letter or digit",
    E164: "not a phone number with plus and country code, such as +442079460958",
    PAYMENT_METHOD: "not a payment provider's token, such as pm_card_visa",
}
"""In words, what a text must look like that has to match a pattern."""


def in_words(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a field, from one of pydantic's error dictionaries; never with what was sent."""
    match fault["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "string_pattern_mismatch" if (words := _SHAPES.get(fault["ctx"]["pattern"])) is not None:
            return words
        case _:
            return str(fault["msg"]).removeprefix("Value error, ")


def _chargeable_currency(currency: str) -> str:
    exponent(currency)
    if currency.lower() in COUNTED_OTHERWISE:
        raise ValueError("Stripe counts this currency in other units than ISO 4217 does, so it is not taken here")
    return currency.lower()


def token_only(value: Any) -> Any:
    """
    Return ``value`` unless it is a card number.

    Raises:
        ValueError: It is one.
    """
    if isinstance(value, str) and re.fullmatch(r"([a-z]+_)?[\d\s._-]{12,}", value):
        raise ValueError("this is a card number; send the payment provider's token, such as pm_card_visa, and never a card number")
    return value


def printable(text: str) -> str:
    """
    Return ``text`` unless it holds what nobody can read.

    Raises:
        ValueError: Line breaks or control characters.
    """
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("holds line breaks or control characters")
    return text


Currency = Annotated[str, AfterValidator(_chargeable_currency)]
PaymentMethod = Annotated[
    str,
    StringConstraints(pattern=PAYMENT_METHOD),
    BeforeValidator(token_only),
    Field(description="The payment provider's token, never a card number.", examples=["pm_card_visa"]),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(printable)]


class Incoming(BaseModel):
    """Part of a request: camel case outside, unknown fields refused, values never echoed in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Return the places at which two JSON values differ, as paths without values: ``["items[0].quantity", "shipping.zip"]``."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*new, *(name for name in old if name not in new)]
        return [path for name in names for path in differences(old.get(name), new.get(name), f"{where}.{name}" if where else name)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [path for place, (a, b) in enumerate(zip(old, new, strict=True)) for path in differences(a, b, f"{where}[{place}]")]
    return [] if old == new else [where]
