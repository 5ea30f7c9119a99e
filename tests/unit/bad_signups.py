"""Sign-ups that nobody may take: what differs from the tutorial's, the field to be named, and what must not be repeated."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from deployments.examples import EXAMPLE_SIGNUP


def a_signup_with(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the tutorial's sign-up with values changed at dotted paths; None takes the field away."""
    signup = deepcopy(EXAMPLE_SIGNUP)
    for path, value in changes.items():
        *way, last = path.split(".")
        place: Any = signup
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return signup


def _bad(name: str, changes: dict[str, Any], field: str, secret: str = "") -> Any:
    return pytest.param(changes, field, secret, id=name)


BAD_SIGNUPS = [
    _bad("no @", {"email": "test.user.example.com"}, "email", "test.user.example.com"),
    _bad("no e-mail", {"email": None}, "email"),
    _bad("no name", {"fullName": None}, "fullName"),
    _bad("an empty name", {"fullName": "  "}, "fullName"),
    _bad("a name of two lines", {"fullName": "Test\nUser"}, "fullName"),
    _bad("a phone that is not E.164", {"phoneNumber": "0123 456789"}, "phoneNumber", "456789"),
    _bad("a phone without a plus", {"phoneNumber": "15551234567"}, "phoneNumber", "15551234567"),
    _bad("a negative amount", {"initialPayment.amount": -1}, "initialPayment.amount"),
    _bad("nothing to pay", {"initialPayment.amount": 0}, "initialPayment.amount"),
    _bad("more digits than the currency has", {"initialPayment.amount": 29.999}, "initialPayment.amount"),
    _bad("cents of a yen", {"initialPayment.amount": 29.9, "initialPayment.currency": "jpy"}, "initialPayment.amount"),
    _bad("more than one charge takes", {"initialPayment.amount": 1_000_000}, "initialPayment.amount"),
    _bad("an endless amount", {"initialPayment.amount": "1e1000000"}, "initialPayment.amount"),
    _bad("no number at all", {"initialPayment.amount": "NaN"}, "initialPayment.amount"),
    _bad("a yes for an amount", {"initialPayment.amount": True}, "initialPayment.amount"),
    _bad("no amount", {"initialPayment.amount": None}, "initialPayment.amount"),
    _bad("an unknown currency", {"initialPayment.currency": "xxz"}, "initialPayment.currency"),
    _bad("an unknown payment method", {"initialPayment.paymentMethod": "bank_transfer"}, "initialPayment.paymentMethod"),
    _bad("no payment method", {"initialPayment.paymentMethod": None}, "initialPayment.paymentMethod"),
    _bad("a card number", {"initialPayment.paymentMethod": "4242424242424242"}, "initialPayment.paymentMethod", "42424242"),
    _bad(
        "a card number that looks like a token", {"initialPayment.paymentMethod": "card_4242424242424242"}, "initialPayment.paymentMethod"
    ),
    _bad("an unknown preference", {"preferences.faxes": True}, "preferences.faxes"),
    _bad("a preference that is no yes or no", {"preferences.newsletter": "yes"}, "preferences.newsletter"),
    _bad("an unknown field", {"password": "hunter2"}, "password", "hunter2"),
]
