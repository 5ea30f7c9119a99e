"""Lists of providers' words that both the accounts (answers) and the readings (events) have to understand alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hub.payments import RefundStatus

STRIPE_REFUND_STATES: Mapping[str, RefundStatus] = MappingProxyType(
    {
        "pending": RefundStatus.PENDING,
        "requires_action": RefundStatus.PENDING,
        "succeeded": RefundStatus.SUCCEEDED,
        "failed": RefundStatus.FAILED,
        "canceled": RefundStatus.FAILED,
    }
)
"""Source: https://docs.stripe.com/api/refunds/object"""

ADDRESS_REFUSALS = frozenset({"failed_address_validation"})
"""Message codes of a failed purchase at Shippo that blame the recipient's address: no other carrier would bring the parcel there."""

RATE_REFUSALS = frozenset({"ups_registration_error"})
"""Message codes of a failed purchase at Shippo that say that this carrier sells us nothing; another one may."""

CARRIER_REFUSALS = ADDRESS_REFUSALS | RATE_REFUSALS
"""
All that is the carrier's no; any other code is for an operator to look at. Shippo publishes no list and passes the carriers' codes on:
``failed_address_validation`` is in a webhook body that a user of USPS has published, ``ups_registration_error`` in the answers (HTTP 201,
status ERROR) that five users of UPS without an account of their own describe. A new one needs the same evidence.
"""
