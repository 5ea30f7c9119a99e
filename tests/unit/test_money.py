from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.money import Money, exponent, minor_units

CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "kwd", "clf"])


@pytest.mark.parametrize(("currency", "digits"), [("jpy", 0), ("krw", 0), ("usd", 2), ("EUR", 2), ("kwd", 3), ("bhd", 3)])
def test_a_currency_has_its_own_number_of_digits(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("currency", ["", "us", "usdx", "zzz", "xau", "xts", "$", "\x00", "\ud800", "ßd"])
def test_what_nobody_can_pay_in_is_no_currency(currency: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 4217 currency"):
        exponent(currency)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("29.99", "usd", 2999), ("29.9", "usd", 2990), ("29", "usd", 2900), ("0.01", "usd", 1), ("500", "jpy", 500), ("1.234", "kwd", 1234)],
)
def test_decimals_become_minor_units_exactly(text: str, currency: str, amount: int) -> None:
    assert minor_units(text, currency) == amount


@pytest.mark.parametrize(("text", "currency"), [("29.999", "usd"), ("0.5", "jpy"), ("1.2345", "kwd"), ("0.001", "eur")])
def test_more_digits_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="more digits than"):
        minor_units(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "-5",
        "+5",
        "1e3",
        "1e999999",
        "1_000",
        " 1",
        "1\n",
        "NaN",
        "Infinity",
        "1,50",
        ".5",
        "5.",
        "٣",
        "1" * 16,
        "12345678901234567890123.99",
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        minor_units(text, "usd")


@given(amount=st.integers(0, 10**15 - 1), currency=CURRENCIES)
def test_money_reads_as_a_decimal_and_back_without_losing_anything(amount: int, currency: str) -> None:
    text, _, code = str(Money(amount=amount, currency=currency)).partition(" ")

    assert (minor_units(text, currency), code) == (amount, currency.upper())
    assert Decimal(text) * 10 ** exponent(currency) == amount


def test_money_is_shown_with_all_its_digits() -> None:
    shown = [str(Money(amount=5, currency="usd")), str(Money(amount=500, currency="jpy")), str(Money(amount=-1234, currency="kwd"))]

    assert shown == ["0.05 USD", "500 JPY", "-1.234 KWD"]
