"""What an order is: the request as it comes in, the frozen snapshot that a run works with, and the result that goes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from hub.facets import Facets, PaymentFacet, Status, status_of
from hub.incoming import ID_WORDS, LARGEST_AMOUNT, SUBJECT_ID, Currency, Incoming, PaymentMethod, Text, printable
from hub.messages import E164
from hub.money import Money
from hub.notification_model import Recipient
from hub.payments import NextAction
from hub.subjects import Subject

OrderId = Annotated[str, StringConstraints(pattern=SUBJECT_ID), Field(description=ID_WORDS, examples=["o-1001"])]


class Item(Incoming):
    """One line of an order; ``price`` is what one piece costs, in minor units."""

    product_id: Text
    quantity: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    price: Annotated[int, Field(strict=True, ge=0, le=LARGEST_AMOUNT, description="Of one piece, in minor units (5000 is 50.00 USD).")]


class Customer(Incoming):
    """Who ordered."""

    email: EmailStr
    name: Text
    phone: Annotated[str, StringConstraints(pattern=E164)] | None = Field(default=None, description="E.164, e.g. +15551234567")


def _street_has_two_names(schema: dict[str, Any]) -> None:
    schema["properties"]["address"] = {"title": "Address", "type": "string", "description": "Another name for street; give one of the two."}
    schema["required"] = [name for name in schema.get("required", []) if name != "street"]


class Shipping(Incoming):
    """Where the parcel goes."""

    model_config = ConfigDict(json_schema_extra=_street_has_two_names)

    street: Text = Field(validation_alias=AliasChoices("street", "address"), description="Street and number; may also be called address.")
    city: Text
    state: Text
    zip: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=12), AfterValidator(printable)]
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


class OrderRequest(Incoming):
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

    @property
    def title(self) -> str:
        """What the team calls it."""
        return f"order {self.id} ({self.money})"

    @property
    def recipient(self) -> Recipient:
        """The customer."""
        customer = self.request.customer
        return Recipient(email=customer.email, name=customer.name, phone=customer.phone)

    @property
    def money(self) -> Money:
        """What the order costs."""
        return Money(amount=self.request.amount, currency=self.request.currency)

    @property
    def status(self) -> Status:
        """How far the order is."""
        return status_of(self.facets)

    @property
    def state_name(self) -> str:
        """The status in Prefect's spelling, e.g. ``PaymentFailed``."""
        return self.status.replace("_", " ").title().replace(" ", "")

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
