"""What is left of a person who was forgotten is nobody, and still is what our models take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from deployments.examples import EXAMPLE_ORDER, EXAMPLE_SIGNUP
from hub.effects import STEPS
from hub.erasing import ERASED, IN_PLACE, erased, fact_without, is_erased, is_to_nobody, without, words_in
from hub.messages import Mail, TeamMessage, TextRequest
from hub.orders import OrderRequest
from hub.parcels import Address, Label, ParcelSize, QuoteRequest
from hub.payments import PaymentRequest
from hub.profiles import Profile, ProfileRequest
from hub.signups import SignupRequest
from hub.values import Frozen

NAME, MAIL, PHONE, STREET = "Grace Brewster", "grace@example.net", "+12025550187", "221 Baker Street"
ORDER = OrderRequest.model_validate(
    {
        **EXAMPLE_ORDER,
        "customer": {"email": MAIL, "name": NAME, "phone": PHONE},
        "shipping": {"street": STREET, "city": "Springfield", "state": "IL", "zip": "62701"},
    }
)
SIGNUP = SignupRequest.model_validate({**EXAMPLE_SIGNUP, "email": MAIL, "fullName": NAME, "phoneNumber": PHONE})
THERE = Address(name=NAME, street=STREET, city="Springfield", state="IL", zip="62701", email=MAIL, phone=PHONE)
STORED: dict[type[BaseModel], dict[str, Any]] = {
    OrderRequest: ORDER.as_stored(),
    SignupRequest: SIGNUP.as_stored(),
    Mail: Mail(to_email=MAIL, to_name=NAME, subject=NAME, text=NAME, html=NAME, metadata={"order_id": "o-1"}).model_dump(mode="json"),
    TextRequest: TextRequest(to=PHONE, text=f"Hello {NAME}").model_dump(mode="json"),
    TeamMessage: TeamMessage(channel="C0", text=NAME, metadata={}).model_dump(mode="json"),
    QuoteRequest: QuoteRequest(
        sender=THERE, recipient=THERE, parcel=ParcelSize(length_cm=1, width_cm=1, height_cm=1, weight_g=1), reference="h:order:o-1:quote:1"
    ).model_dump(mode="json"),
    Label: Label(label_id="l_1", tracking_number="1Z", label_url=f"https://example.com/{NAME}").model_dump(mode="json"),
    ProfileRequest: ProfileRequest(email=MAIL, full_name=NAME, phone_number=PHONE).model_dump(mode="json"),
    Profile: Profile(
        profile_id="p", reference="r", email=MAIL, full_name=NAME, phone_number=PHONE, preferences={"newsletter": True}, status="new"
    ).model_dump(mode="json"),
}
NOT_ABOUT_A_PERSON = {
    *("action", "style", "channel", "timestamp", "status_callback", "sure", "shows", "thread"),  # of messages
    *("message_id", "sid", "label_id", "void_id", "shipment_id", "rate_id", "payment_id", "charge_id", "refund_id", "profile_id"),
    *("reference", "carrier", "service", "tracking_number", "currency", "status", "description", "payment_method", "return_url"),
    *("type", "url"),  # what a customer has to do at the bank
    *("country", "productId", "paymentMethod", "amount"),
    *(
        "order_id",
        "product_id",
        "ticket_id",
        "pickup_id",
        "confirmation",
        "carrier_account",
        "at",
        "earliest",
        "latest",
    ),  # of the warehouse
}
"""Fields with text that stay: ids, codes, money, and the country, which the accounts need."""


@pytest.mark.parametrize("model", STORED, ids=lambda model: model.__name__)
def test_what_is_left_says_nothing_about_the_person_and_is_still_what_it_was(model: type[BaseModel]) -> None:
    left = model.model_validate(erased(STORED[model])).model_dump_json().lower()

    assert not [word for word in ("grace", "2025550187", "baker", "springfield", "62701") if word in left]


def test_amounts_ids_and_what_was_bought_stay() -> None:
    left = erased(ORDER.as_stored())

    assert (left["items"], left["shipping"]["country"]) == (ORDER.as_stored()["items"], "US")
    assert OrderRequest.model_validate(left).amount == ORDER.amount
    payment = PaymentRequest(amount=1, currency="usd", payment_method="pm_1", description="Order o-1", metadata={"effect": "k"})
    assert erased(payment.model_dump(mode="json")) == payment.model_dump(mode="json")


def test_whoever_was_forgotten_is_known_as_such_is_written_to_no_more_and_reads_no_newsletter() -> None:
    assert not is_erased(ORDER.as_stored())
    assert is_erased(erased(ORDER.as_stored()))
    assert is_erased(erased(SIGNUP.as_stored()))
    assert is_to_nobody(Mail.model_validate(erased(STORED[Mail])))
    assert is_to_nobody(TextRequest.model_validate(erased(STORED[TextRequest])))
    assert not is_to_nobody(TextRequest.model_validate(STORED[TextRequest]))
    assert not SignupRequest.model_validate(erased(SIGNUP.as_stored())).preferences.newsletter


def test_a_person_is_known_by_address_name_phone_and_street_and_these_go_from_what_people_typed() -> None:
    words = words_in(ORDER.as_stored())

    assert words == {MAIL, NAME, PHONE, STREET}
    assert without(f"GRACE BREWSTER ({PHONE}) called; Grace Brewsterson did not", words) == (
        f"{ERASED} ({ERASED}) called; Grace Brewsterson did not"
    )
    assert without("nothing", ()) == "nothing"
    assert fact_without({"reason": f"{NAME} called", "refund_id": NAME, "amount": 1}, words) == {
        "reason": f"{ERASED} called",
        "refund_id": NAME,
        "amount": 1,
    }


def test_of_every_text_that_the_ledger_keeps_it_is_decided_whether_it_is_about_a_person() -> None:
    """Red means that a new field came: give it something in its place in ``hub.erasing``, or name it above if it is never personal."""
    undecided = {
        f"{model.__name__}.{name}" for model in kept_models() for name in texts_of(model) if name not in {*IN_PLACE, *NOT_ABOUT_A_PERSON}
    }

    assert not undecided


def kept_models() -> set[type[BaseModel]]:
    """The requests of orders and sign-ups, and every value in the modules in which their steps' requests and answers are defined."""
    steps = [step for kind in ("order", "signup") for step in STEPS[kind].values()]
    named = {model for step in steps for model in (step.result, step.owed_request) if model is not None} | set(STORED) - {
        OrderRequest,
        SignupRequest,
    }
    modules = [sys.modules[model.__module__] for model in named]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type) and issubclass(value, Frozen)}
    return (found - {Frozen}) | {OrderRequest, SignupRequest}


def texts_of(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(mode="serialization", by_alias=not issubclass(model, Frozen))
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            kinds = [field, *field.get("anyOf", [])]
            if any(kind.get("type") == "string" and not {"enum", "const"} & kind.keys() for kind in kinds):
                yield name
