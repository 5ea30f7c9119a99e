"""What Shippo's objects say, checked before anybody believes it, in our types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import field_validator

from blocks.translation import Answer, Call, plain_code
from hub.errors import ProviderError, Refused
from hub.money import minor_units
from hub.parcels import Label, Rate, VoidStatus
from hub.provider_words import CARRIER_REFUSALS

STILL_AT_IT = frozenset({"QUEUED", "WAITING"})
COMES = frozenset({"PENDING", "CONFIRMED"})
"""States of a pick-up whose carrier comes, as far as is known. Source: Shippo's OpenAPI, PickupStatusEnum"""
BOUGHT = frozenset({"SUCCESS", "REFUNDED", "REFUNDPENDING", "REFUNDREJECTED"})
"""States of a transaction whose label was bought, whatever became of it. Source: Shippo's OpenAPI, TransactionStatusEnum"""


class _Service(Answer):
    name: str | None = None
    token: str | None = None


class ShippoRate(Answer):
    """One offer, as Shippo writes it: a decimal amount in text."""

    object_id: str
    amount: str
    currency: str
    provider: str
    carrier_account: str | None = None
    servicelevel: _Service


class Shipment(Answer):
    """A shipment with its offers."""

    object_id: str
    status: str
    rates: list[ShippoRate]


class Message(Answer):
    """What a carrier says about a purchase. ``text`` is for the attempt row only."""

    code: str | None = None
    text: str | None = None


class Transaction(Answer):
    """The purchase of one label."""

    object_id: str
    status: str
    rate: str
    tracking_number: str | None = None
    label_url: str | None = None
    tracking_url_provider: str | None = None
    messages: list[Message] | None = None

    @field_validator("rate", mode="before")
    @classmethod
    def _rate_or_its_id(cls, rate: Any) -> Any:
        """A rate comes as its id, or written out when the purchase was made in one call."""
        return rate.get("object_id") if isinstance(rate, dict) else rate


class LabelRefund(Answer):
    """A label that was asked to be taken back."""

    object_id: str
    status: Literal["QUEUED", "PENDING", "SUCCESS", "ERROR"]


class ScheduledPickup(Answer):
    """A carrier that was asked to come."""

    object_id: str
    status: Literal["PENDING", "CONFIRMED", "ERROR", "CANCELLED"]
    confirmation_code: str | None = None


class Transactions(Answer):
    """One page of purchases."""

    results: list[Transaction]
    next: str | None = None


REFUND_STATES: Mapping[str, VoidStatus] = MappingProxyType(
    {"QUEUED": VoidStatus.PENDING, "PENDING": VoidStatus.PENDING, "SUCCESS": VoidStatus.SUCCEEDED, "ERROR": VoidStatus.REFUSED}
)
"""Source: https://docs.goshippo.com/billing-and-invoices/refunding-labels"""
LABEL_STATES: Mapping[str, VoidStatus | None] = MappingProxyType(
    {
        "SUCCESS": None,
        "REFUNDPENDING": VoidStatus.PENDING,
        "REFUNDED": VoidStatus.SUCCEEDED,
        "REFUNDREJECTED": VoidStatus.REFUSED,
    }
)
"""How far a bought label is on its way back; None: nobody asked for that."""


def rate_from(rate: ShippoRate) -> Rate:
    """
    Return the offer with its price in minor units.

    Raises:
        ValueError: The price is no exact amount of its currency.
    """
    currency = rate.currency.lower()
    return Rate(
        rate_id=rate.object_id,
        carrier=rate.provider,
        carrier_account=rate.carrier_account,
        service=rate.servicelevel.name or rate.servicelevel.token or "",
        amount=minor_units(rate.amount, currency),
        currency=currency,
    )


def label_from(transaction: Transaction) -> Label:
    """
    Return the label of a purchase that succeeded.

    Raises:
        ValueError: It has no tracking number.
    """
    if not transaction.tracking_number:
        raise ValueError("a label without a tracking number")
    return Label(
        label_id=transaction.object_id,
        tracking_number=transaction.tracking_number,
        label_url=transaction.label_url or None,
        tracking_url=transaction.tracking_url_provider or None,
    )


def refusal_in(call: Call, transaction: Transaction) -> ProviderError:
    """Return what a failed purchase means: the carrier's no by a listed code, or something for an operator."""
    call.exchange.said("; ".join(f"{message.code}: {message.text}" for message in transaction.messages or ()))
    codes = [message.code for message in transaction.messages or () if message.code]
    listed = next((code for code in codes if code in CARRIER_REFUSALS), None)
    if listed is not None:
        return Refused(call.provider, call.action, call.reason("the carrier says no", listed), listed, transaction.object_id)
    return call.misconfigured("no label was made", plain_code(codes[0]) if codes else None)
