"""What kinds of orders there are, and what is asked for at the gateway to get one."""

from __future__ import annotations

from typing import Any

NATURES = (
    *("ordinary", "3-D Secure", "declined", "refunded by hand", "disputed", "bounced", "label refused", "partly refunded"),
    *("3-D Secure failed", "returned", "dispute won", "ordinary", "ordinary", "3-D Secure", "ordinary", "bounced", "ordinary", "ordinary"),
    *("delivery failed", "ordinary"),
)
UNPAID = ("declined", "3-D Secure failed")
UNDELIVERED = ("returned", "delivery failed")
REACHABLE = {"email": "bounce@example.com", "name": "Ada Lovelace", "phone": "+12025550123"}
REQUESTS: dict[str, dict[str, Any]] = {
    "declined": {"paymentMethod": "pm_card_chargeDeclined"},
    "3-D Secure": {"paymentMethod": "pm_card_threeDSecure2Required"},
    "3-D Secure failed": {"paymentMethod": "pm_card_threeDSecure2Required"},
    "bounced": {"customer": REACHABLE},
    "label refused": {"shipping": {"address": "123 Main St", "city": "San Francisco", "state": "CA", "zip": "00000"}},
}
