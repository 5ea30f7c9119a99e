"""The order of the tutorial, as written there; the demo and `hub order place` without a file use it."""

from __future__ import annotations

from typing import Any

EXAMPLE_ORDER: dict[str, Any] = {
    "items": [{"productId": "prod-123", "quantity": 2, "price": 5000}],
    "customer": {"email": "customer@example.com", "name": "Test Customer"},
    "shipping": {"address": "123 Main St", "city": "San Francisco", "state": "CA", "zip": "94105"},
}
