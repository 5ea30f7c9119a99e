"""Money: an ``int`` of minor units with its currency beside it, and the way there from decimal text."""

from __future__ import annotations

import re
from decimal import Decimal

from iso4217 import Currency

from hub.values import Frozen


class Money(Frozen):
    """``amount`` in minor units (cents, yen, fils), ``currency`` in lower-case ISO 4217."""

    amount: int
    currency: str

    def __str__(self) -> str:
        digits = exponent(self.currency)
        return f"{Decimal(self.amount).scaleb(-digits):.{digits}f} {self.currency.upper()}"


def exponent(currency: str) -> int:
    """
    Return how many decimal digits ``currency`` has: 2 for usd, 0 for jpy, 3 for kwd.

    Raises:
        ValueError: Not a currency that money can be paid in.

    Source: ISO 4217, list one.
    """
    try:
        digits = Currency(currency.upper()).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise ValueError("not an ISO 4217 currency that can be paid in, such as usd or eur")
    return int(digits)


def minor_units(decimal_text: str, currency: str) -> int:
    """
    Return the minor units of an exact decimal: ``minor_units("29.99", "usd") == 2999``.

    Raises:
        ValueError: Not a plain number (digits and at most one dot, below a quadrillion), or more digits than the currency has.
    """
    digits = exponent(currency)
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", decimal_text):
        raise ValueError("not a plain decimal number, such as 29.99")
    shifted = Decimal(decimal_text).scaleb(digits)  # at most 24 digits: within the 28 that decimal keeps exactly
    if shifted != shifted.to_integral_value():
        raise ValueError(f"more digits than the {digits} that {currency} has")
    return int(shifted)
