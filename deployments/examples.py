"""The order, the sign-up and the release of the tutorial; `hub order place` and `hub signup place` use the first two without a file."""

from __future__ import annotations

from typing import Any

EXAMPLE_ORDER: dict[str, Any] = {
    "items": [{"productId": "prod-123", "quantity": 2, "price": 5000}],
    "customer": {"email": "customer@example.com", "name": "Test Customer"},
    "shipping": {"address": "123 Main St", "city": "San Francisco", "state": "CA", "zip": "94105"},
}

EXAMPLE_SIGNUP: dict[str, Any] = {
    "email": "test.user@example.com",
    "fullName": "Test User",
    "phoneNumber": "+1234567890",
    "initialPayment": {"amount": 29.99, "paymentMethod": "credit_card"},
    "preferences": {"newsletter": True, "sms_notifications": False},
}

EXAMPLE_RELEASE: dict[str, Any] = {"repository": "example/shop", "ref": "main", "environment": "production"}
