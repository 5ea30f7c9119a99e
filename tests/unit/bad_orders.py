"""Orders that nobody may take: what differs from the tutorial's order, the field to be named, what to say of it, what not to repeat."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from deployments.examples import EXAMPLE_ORDER


def an_order_with(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the tutorial's order with values changed at dotted paths; None takes the field away."""
    order = deepcopy(EXAMPLE_ORDER)
    for path, value in changes.items():
        *way, last = path.split(".")
        place: Any = order
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        if value is None:
            del place[last]
        else:
            place[int(last) if last.isdigit() else last] = value
    return order


def _bad(name: str, changes: dict[str, Any], field: str, problem: str, secret: str = "") -> Any:
    return pytest.param(changes, field, problem, secret, id=name)


_CARD = "this is a card number; send the payment provider's token"

BAD_ORDERS = [
    _bad("no items", {"items": []}, "items", "at least one item"),
    _bad("items missing", {"items": None}, "items", "required"),
    _bad("too many items", {"items": [{"productId": "p", "quantity": 1, "price": 1}] * 501}, "items", "at most 500"),
    _bad("quantity 0", {"items.0.quantity": 0}, "items.0.quantity", "greater than or equal to 1"),
    _bad("quantity as text", {"items.0.quantity": "271"}, "items.0.quantity", "valid integer", "271"),
    _bad("quantity true", {"items.0.quantity": True}, "items.0.quantity", "valid integer"),
    _bad("negative price", {"items.0.price": -4711}, "items.0.price", "greater than or equal to 0", "4711"),
    _bad("fractional price", {"items.0.price": 47.11}, "items.0.price", "valid integer", "47"),
    _bad("price as a float", {"items.0.price": 4711.0}, "items.0.price", "valid integer", "4711"),
    _bad("price not a number", {"items.0.price": float("nan")}, "items.0.price", "valid integer", "nan"),
    _bad("free of charge", {"items.0.price": 0}, "items", "one charge takes 1 to 99999999"),
    _bad("total too large", {"items.0.price": 50_000_011}, "items", "one charge takes 1 to 99999999", "50000011"),
    _bad("unknown currency", {"currency": "zzq"}, "currency", "ISO 4217", "zzq"),
    _bad("a currency nobody pays in", {"currency": "xau"}, "currency", "ISO 4217", "xau"),
    _bad("empty currency", {"currency": ""}, "currency", "ISO 4217"),
    _bad("street missing", {"shipping.address": None}, "shipping.street", "required"),
    _bad("street and address", {"shipping.street": "9 Oak St"}, "shipping", "street and address are two names", "Oak"),
    _bad("blank street", {"shipping.address": "   "}, "shipping.address", "at least 1 character"),
    _bad("street of two lines", {"shipping.address": "9 Oak St\nFlat 3"}, "shipping.address", "line breaks", "Oak"),
    _bad("zip too long", {"shipping.zip": "7" * 13}, "shipping.zip", "at most 12", "7777"),
    _bad("country in words", {"shipping.country": "Utopia"}, "shipping.country", "pattern", "Utopia"),
    _bad("mail without @", {"customer.email": "bob.builder"}, "customer.email", "valid email", "bob"),
    _bad("mail without a domain", {"customer.email": "bob.builder@"}, "customer.email", "valid email", "bob"),
    _bad("mail with a space", {"customer.email": "bob builder@example.net"}, "customer.email", "valid email", "bob"),
    _bad("mail with NUL", {"customer.email": "bob\x00@example.net"}, "customer.email", "valid email", "bob"),
    _bad("name with NUL", {"customer.name": "Bob\x00Builder"}, "customer.name", "control characters", "Bob"),
    _bad("name with half a surrogate", {"customer.name": "Bob\ud800"}, "customer.name", "valid string", "Bob"),
    _bad("product with NUL", {"items.0.productId": "sku\x00"}, "items.0.productId", "control characters", "sku"),
    _bad(
        "phone of other digits",
        {"customer.phone": "+1\u0665\u0665\u0665\u0665\u0665\u0665\u0665"},
        "customer.phone",
        "country code",
        "\u0665",
    ),
    _bad("phone without a country", {"customer.phone": "5551234567"}, "customer.phone", "country code", "555"),
    _bad("a card number", {"paymentMethod": "4242424242424242"}, "paymentMethod", _CARD, "4242"),
    _bad("a card number with spaces", {"paymentMethod": "4242 4242 4242 4242"}, "paymentMethod", _CARD, "4242"),
    _bad("a card number with dashes", {"paymentMethod": "4242-4242-4242-4242"}, "paymentMethod", _CARD, "4242"),
    _bad("a card number dressed up", {"paymentMethod": "pm_4242424242424242"}, "paymentMethod", _CARD, "4242"),
    _bad("a card number as a number", {"paymentMethod": 4242424242424242}, "paymentMethod", "valid string", "4242"),
    _bad("unknown field", {"discount": 47}, "discount", "no such field", "47"),
    _bad("unknown field of a customer", {"customer.age": 47}, "customer.age", "no such field", "47"),
]
