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

CARRIER_REFUSALS = frozenset({"failed_address_validation"})
"""
Message codes of a failed purchase at Shippo that are the carrier's no; any other code is for an operator to look at. Shippo publishes no
list and passes the carriers' codes on; this one is in a webhook body that a user of USPS has published. A new one needs the same evidence.
"""
