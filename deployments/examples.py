"""The order and the sign-up of the tutorial, as written there; `hub order place` and `hub signup place` without a file use them."""

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
