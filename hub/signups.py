"""What a sign-up is: the request as it comes in, the frozen snapshot that a run works with, and the result that goes out."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    PlainSerializer,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from hub.incoming import ID_WORDS, LARGEST_AMOUNT, PAYMENT_METHOD, SUBJECT_ID, Currency, Incoming, Text, token_only
from hub.message_facts import Delivery
from hub.messages import E164
from hub.money import Money, exponent, minor_units
from hub.notification_model import NotificationType, Recipient
from hub.notification_types import GREETINGS
from hub.payments import NextAction
from hub.signup_facets import Critical, SignupFacets, SignupStatus, report
from hub.subjects import Subject
from hub.values import Frozen

SignupId = Annotated[str, StringConstraints(pattern=SUBJECT_ID), Field(description=ID_WORDS, examples=["s-1001"])]

CREDIT_CARD = "credit_card"
"""In place of a token: the rehearsal's card. With live accounts it is refused."""


def _is_a_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("not a plain decimal number, such as 29.99")  # noqa: TRY004 - pydantic makes a fault of the field out of it
    return value


def _known_method(method: str) -> str:
    if method != CREDIT_CARD and method.partition("_")[0] not in ("pm", "card", "src", "ba"):
        raise ValueError(
            f"an unknown payment method; send the payment provider's token, such as pm_card_visa, or {CREDIT_CARD} in rehearsal"
        )
    return method


class InitialPayment(Incoming):
    """What the new user pays at once; ``amount`` is decimal, in the currency's unit: 29.99 is 29 dollars and 99 cents."""

    currency: Currency = Field(default="usd", validate_default=True)
    amount: Annotated[
        Decimal,
        BeforeValidator(_is_a_number),
        PlainSerializer(str, return_type=str, when_used="json"),
        Field(gt=0, max_digits=15, description="Decimal, in the currency's unit (29.99); exact.", examples=[29.99]),
    ]
    payment_method: Annotated[
        str,
        StringConstraints(pattern=PAYMENT_METHOD),
        BeforeValidator(token_only),
        AfterValidator(_known_method),
        Field(description="The payment provider's token, never a card number; credit_card in rehearsal.", examples=["pm_card_visa"]),
    ]

    @field_validator("amount")
    @classmethod
    def _in_whole_minor_units(cls, amount: Decimal, info: ValidationInfo) -> Decimal:
        if (currency := info.data.get("currency")) is None:
            return amount  # the currency is wrong, and that is said
        units = minor_units(f"{amount:f}", currency)
        if units > LARGEST_AMOUNT:
            raise ValueError(f"cannot be charged; one charge takes 1 to {LARGEST_AMOUNT} minor units")
        return Decimal(units).scaleb(-exponent(currency))  # 29.9 and 29.90 are the same payment

    @property
    def money(self) -> Money:
        """The payment in minor units."""
        return Money(amount=minor_units(f"{self.amount:f}", self.currency), currency=self.currency)


class Preferences(BaseModel):
    """What the new user wants to hear, in the spelling of the request; what is not said is a yes, but for the newsletter."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    newsletter: StrictBool = False
    sms_notifications: StrictBool = True
    email_notifications: StrictBool = True


class SignupRequest(Incoming):
    """A sign-up as it comes in. The mail address is kept in small letters: it is who the user is."""

    email: Annotated[EmailStr, AfterValidator(str.lower)]
    full_name: Text
    phone_number: Annotated[str, StringConstraints(pattern=E164)] | None = Field(default=None, description="E.164, e.g. +15551234567")
    initial_payment: InitialPayment | None = None
    preferences: Preferences = Preferences()

    @property
    def recipient(self) -> Recipient:
        """The new user."""
        refuses = frozenset(name for name, wanted in self.preferences if not wanted)
        return Recipient(email=self.email, name=self.full_name, phone=self.phone_number, refuses=refuses)

    def as_stored(self) -> dict[str, Any]:
        """Return the request as plain JSON, in the names it came in with."""
        return self.model_dump(mode="json", by_alias=True)


class Notification(Frozen):
    """One message to the new user that its provider has taken on."""

    notification_id: str
    delivery: Delivery


class SentNotification(BaseModel):
    """A notification as the outside sees it: ``ACCEPTED``, later ``DELIVERED`` or ``FAILED``."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    notification_id: str
    type: Literal["welcome", "payment_confirmation", "verification"]
    channel: Literal["mail", "sms"]
    status: Literal["ACCEPTED", "DELIVERED", "FAILED"]


class SignupResult(BaseModel):
    """What a run of ``register_user`` gives back; no personal data."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    user_id: str | None
    status: SignupStatus
    profile_created: bool
    payment_processed: bool
    notifications_sent: tuple[SentNotification, ...]
    errors: tuple[str, ...]
    correlation_id: str


_ARRIVED = (Delivery.DELIVERED, Delivery.OPENED)


class Signup(Subject):
    """A sign-up as a run holds it."""

    kind: Literal["signup"] = "signup"
    request: SignupRequest
    critical: tuple[Critical, ...]
    payment_method: str | None
    facets: SignupFacets
    user_id: str | None = None
    payment_id: str | None = None
    next_action: NextAction | None = None
    notifications: dict[str, Notification] = Field(default_factory=dict)
    attention: str | None = None

    @property
    def title(self) -> str:
        """What people call it; without personal data."""
        return f"sign-up {self.id}"

    @property
    def recipient(self) -> Recipient:
        """The new user."""
        return self.request.recipient

    @property
    def status(self) -> SignupStatus:
        """What became of it so far."""
        return report(self.facets, self.critical).status

    @property
    def state_name(self) -> str:
        """E.g. ``SignupPartial``: a state of Prefect's own is called Failed."""
        return f"Signup{self.status.replace('_', ' ').title().replace(' ', '')}"

    @property
    def rests(self) -> bool:
        """True when this run has nothing to do."""
        return self.in_hand or not self.due

    @property
    def money(self) -> Money | None:
        """What the new user pays at once, if anything."""
        payment = self.request.initial_payment
        return None if payment is None else payment.money

    def result(self) -> SignupResult:
        """Return what the outside may know of this sign-up."""
        said = report(self.facets, self.critical)
        return SignupResult(
            user_id=self.user_id if said.profile_created else None,
            status=said.status,
            profile_created=said.profile_created,
            payment_processed=said.payment_processed,
            notifications_sent=tuple(
                _as_seen(what, self.notifications[greeting]) for greeting, what in GREETINGS.items() if greeting in self.notifications
            ),
            errors=said.errors,
            correlation_id=self.correlation_id,
        )


def _as_seen(what: NotificationType, notification: Notification) -> SentNotification:
    status = "ACCEPTED"
    if notification.delivery is Delivery.FAILED:
        status = "FAILED"
    elif notification.delivery in _ARRIVED:
        status = "DELIVERED"
    seen = {"notification_id": notification.notification_id, "type": what.name, "channel": what.channel, "status": status}
    return SentNotification.model_validate(seen)
