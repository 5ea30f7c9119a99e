"""What an order is: the request as it comes in, the frozen snapshot that a run works with, and the result that goes out."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from hub.facets import Facets, PaymentFacet, Status, status_of
from hub.money import Money, exponent
from hub.payments import NextAction
from hub.subjects import Subject

LARGEST_AMOUNT = (
    99_999_999  # what Stripe takes in one charge, https://docs.stripe.com/api/payment_intents/object#payment_intent_object-amount
)

COUNTED_OTHERWISE = ("isk", "mga", "ugx")
"""Refused, because a mistake would charge 100 times too much or too little: https://docs.stripe.com/currencies#special-cases"""

ORDER_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
OrderId = Annotated[
    str,
    StringConstraints(pattern=ORDER_ID),
    Field(description="Letters, digits, dot, underscore and dash; at most 64.", examples=["o-1001"]),
]


def _chargeable_currency(currency: str) -> str:
    exponent(currency)
    if currency.lower() in COUNTED_OTHERWISE:
        raise ValueError("Stripe counts this currency in other units than ISO 4217 does, so it is not taken here")
    return currency.lower()


def _token_only(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"([a-z]+_)?[\d\s._-]{12,}", value):
        raise ValueError("this is a card number; send the payment provider's token, such as pm_card_visa, and never a card number")
    return value


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("holds line breaks or control characters")
    return text


Currency = Annotated[str, AfterValidator(_chargeable_currency)]
PaymentMethod = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]+_[A-Za-z0-9_]{3,120}$"),  # part of the schema, so Prefect refuses a card number before storing it
    BeforeValidator(_token_only),
    Field(description="The payment provider's token, never a card number.", examples=["pm_card_visa"]),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)]


class _Incoming(BaseModel):
    """Part of a request: camel case outside, unknown fields refused, values never echoed in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )


class Item(_Incoming):
    """One line of an order; ``price`` is what one piece costs, in minor units."""

    product_id: Text
    quantity: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    price: Annotated[int, Field(strict=True, ge=0, le=LARGEST_AMOUNT, description="Of one piece, in minor units (5000 is 50.00 USD).")]


class Customer(_Incoming):
    """Who ordered."""

    email: EmailStr
    name: Text
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = Field(
        default=None, description="E.164, e.g. +15551234567"
    )


def _street_has_two_names(schema: dict[str, Any]) -> None:
    schema["properties"]["address"] = {"title": "Address", "type": "string", "description": "Another name for street; give one of the two."}
    schema["required"] = [name for name in schema.get("required", []) if name != "street"]


class Shipping(_Incoming):
    """Where the parcel goes."""

    model_config = ConfigDict(json_schema_extra=_street_has_two_names)

    street: Text = Field(validation_alias=AliasChoices("street", "address"), description="Street and number; may also be called address.")
    city: Text
    state: Text
    zip: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=12), AfterValidator(_printable)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(default="US", description="ISO 3166-1 alpha-2")

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_the_street(cls, given: Any) -> Any:
        if isinstance(given, dict) and {"street", "address"} <= given.keys():
            raise ValueError("street and address are two names for the same; give one of them")
        return given


def _can_be_charged(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("an order needs at least one item")
    if not 1 <= sum(item.quantity * item.price for item in items) <= LARGEST_AMOUNT:
        raise ValueError(f"their total cannot be charged; one charge takes 1 to {LARGEST_AMOUNT} minor units")
    return items


class OrderRequest(_Incoming):
    """An order as it comes in."""

    items: Annotated[tuple[Item, ...], Field(max_length=500, json_schema_extra={"minItems": 1}), AfterValidator(_can_be_charged)]
    customer: Customer
    shipping: Shipping
    currency: Currency = "usd"
    payment_method: PaymentMethod | None = None

    @property
    def amount(self) -> int:
        """The total in minor units."""
        return sum(item.quantity * item.price for item in self.items)

    def as_stored(self) -> dict[str, Any]:
        """Return the request as plain JSON, in the names it came in with."""
        return self.model_dump(mode="json", by_alias=True)


class OrderResult(BaseModel):
    """What a run of ``process_order`` gives back; no personal data."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    order_id: str
    status: Status
    charge_id: str | None = None
    tracking_number: str | None = None
    message: str


class Order(Subject):
    """An order as a run holds it."""

    kind: Literal["order"] = "order"
    request: OrderRequest
    payment_method: str
    facets: Facets
    charge_id: str | None = None
    payment_id: str | None = None
    earlier_payment_id: str | None = None
    tracking_number: str | None = None
    next_action: NextAction | None = None
    message: str = ""

    @property
    def money(self) -> Money:
        """What the order costs."""
        return Money(amount=self.request.amount, currency=self.request.currency)

    @property
    def status(self) -> Status:
        """How far the order is."""
        return status_of(self.facets)

    @property
    def rests(self) -> bool:
        """True when this run has nothing to do: another run has the order in hand, or it waits for the outside world."""
        walkable = self.facets.payment is PaymentFacet.PAID and self.status is not Status.NEEDS_ATTENTION
        return self.in_hand or not (self.due or walkable)

    def result(self) -> OrderResult:
        """Return what the outside may know of this order."""
        return OrderResult(
            order_id=self.id, status=self.status, charge_id=self.charge_id, tracking_number=self.tracking_number, message=self.message
        )


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Return the places at which two JSON values differ, as paths without values: ``["items[0].quantity", "shipping.zip"]``."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*new, *(name for name in old if name not in new)]
        return [path for name in names for path in differences(old.get(name), new.get(name), f"{where}.{name}" if where else name)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [path for place, (a, b) in enumerate(zip(old, new, strict=True)) for path in differences(a, b, f"{where}[{place}]")]
    return [] if old == new else [where]
