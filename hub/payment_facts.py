"""What has happened to the customer's money, in our words; like all facts, recorded once. Amounts are minor units."""

from __future__ import annotations

from typing import ClassVar, Literal

from hub.payments import NextAction
from hub.values import Frozen


class PaymentWaits(Frozen):
    """The customer has to do something before the payment can go on."""

    told_apart_by: ClassVar = ("payment_id", "attempt")

    kind: Literal["payment waits for the customer"] = "payment waits for the customer"
    attempt: int
    payment_id: str
    next_action: NextAction


class PaymentProcessing(Frozen):
    """The payment is under way and settles later."""

    told_apart_by: ClassVar = ("payment_id", "attempt")

    kind: Literal["payment processing"] = "payment processing"
    attempt: int
    payment_id: str


class PaymentSettled(Frozen):
    """The customer has paid ``amount`` minor units."""

    told_apart_by: ClassVar = ("payment_id", "attempt")

    kind: Literal["payment settled"] = "payment settled"
    attempt: int
    payment_id: str
    charge_id: str | None
    amount: int
    currency: str


class PaymentFailed(Frozen):
    """The payment was refused; ``code`` is the provider's, e.g. ``generic_decline``."""

    told_apart_by: ClassVar = ("payment_id", "attempt")

    kind: Literal["payment failed"] = "payment failed"
    attempt: int
    payment_id: str | None
    code: str


class PaymentCanceled(Frozen):
    """The payment was called off before any money moved."""

    told_apart_by: ClassVar = ("payment_id", "attempt")

    kind: Literal["payment canceled"] = "payment canceled"
    attempt: int
    payment_id: str


class RefundPending(Frozen):
    """``amount`` minor units are on their way back to the customer. ``attempt`` is that of the payment, as in all facts about refunds."""

    told_apart_by: ClassVar = ("refund_id",)

    kind: Literal["refund pending"] = "refund pending"
    attempt: int | None
    refund_id: str
    amount: int
    currency: str


class RefundSettled(Frozen):
    """``amount`` minor units went back to the customer."""

    told_apart_by: ClassVar = ("refund_id",)

    kind: Literal["refund settled"] = "refund settled"
    attempt: int | None
    refund_id: str
    amount: int
    currency: str


class RefundFailed(Frozen):
    """The money did not reach the customer, perhaps after it had seemed to; ``code`` is the provider's, e.g. ``lost_or_stolen_card``."""

    told_apart_by: ClassVar = ("refund_id",)

    kind: Literal["refund failed"] = "refund failed"
    attempt: int | None
    refund_id: str
    code: str


class RefundedInAll(Frozen):
    """Of one charge, ``amount`` minor units have gone back so far, whoever gave them back."""

    told_apart_by: ClassVar = ("charge_id", "amount")

    kind: Literal["refunded in all"] = "refunded in all"
    attempt: int | None
    charge_id: str
    amount: int
    currency: str


class DisputeOpened(Frozen):
    """The customer's bank wants ``amount`` minor units back; ``reason`` is the provider's, e.g. ``fraudulent``."""

    told_apart_by: ClassVar = ("dispute_id",)

    kind: Literal["dispute opened"] = "dispute opened"
    attempt: int | None
    dispute_id: str
    charge_id: str
    reason: str
    amount: int
    currency: str


class DisputeClosed(Frozen):
    """The bank has decided. ``won``: the money stays with us."""

    told_apart_by: ClassVar = ("dispute_id",)

    kind: Literal["dispute closed"] = "dispute closed"
    attempt: int | None
    dispute_id: str
    won: bool


class RefundAsked(Frozen):
    """
    A person wants ``amount`` minor units to go back. ``refund_id`` is ours here; ``by`` is who asked.

    ``asked`` is the amount as it was asked for: None means all that was left then. ``restock``: the goods came back.
    """

    told_apart_by: ClassVar = ("refund_id",)

    kind: Literal["refund asked"] = "refund asked"
    refund_id: str
    amount: int
    currency: str
    asked: int | None
    reason: str
    restock: bool = False
    by: str


class RefundDecided(Frozen):
    """A refund that had to be approved was, or was not; ``by`` is who said so, or whose patience was over."""

    told_apart_by: ClassVar = ("refund_id",)

    kind: Literal["refund decided"] = "refund decided"
    refund_id: str
    decision: Literal["approved", "rejected", "expired", "withdrawn"]
    by: str
