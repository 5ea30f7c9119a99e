"""What we ask of a payment provider, and what it gives back."""

from __future__ import annotations

from enum import StrEnum

from hub.values import Frozen


class PaymentStatus(StrEnum):
    """How far one payment at the provider is."""

    SUCCEEDED = "succeeded"
    NEEDS_CUSTOMER = "needs_customer"
    PROCESSING = "processing"
    CANCELED = "canceled"
    FAILED = "failed"


class NextAction(Frozen):
    """What the customer must do before the payment can go on, e.g. ``redirect_to_url`` and where."""

    type: str
    url: str | None = None


class PaymentRequest(Frozen):
    """A charge, complete: ``amount`` in minor units, ``metadata`` our reference at the provider (hub_id, order_id, correlation_id)."""

    amount: int
    currency: str
    payment_method: str
    description: str
    metadata: dict[str, str]
    return_url: str | None = None


class Payment(Frozen):
    """A payment as the provider has it. ``amount`` is what was asked for, in minor units."""

    payment_id: str
    charge_id: str | None = None
    status: PaymentStatus
    amount: int
    currency: str
    next_action: NextAction | None = None


class CancelRequest(Frozen):
    """Cancel a payment that has not succeeded."""

    payment_id: str


class RefundRequest(Frozen):
    """Give ``amount`` minor units of a payment back."""

    payment_id: str
    amount: int
    currency: str
    metadata: dict[str, str]


class RefundStatus(StrEnum):
    """How far a refund is; ``pending`` is not yet money back."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(Frozen):
    """A refund as the provider has it."""

    refund_id: str
    payment_id: str
    status: RefundStatus
    amount: int
    currency: str
