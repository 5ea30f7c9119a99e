from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from deployments.examples import EXAMPLE_ORDER
from hub.facets import Facets
from hub.incoming import differences, in_words
from hub.orders import Order, OrderId, OrderRequest
from hub.payments import PaymentRequest
from tests.unit.bad_orders import BAD_ORDERS, an_order_with

ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)


def faults(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refusal:
        OrderRequest.model_validate(body)
    assert "input_value" not in str(refusal.value), "a value would reach a log"
    return [(".".join(map(str, fault["loc"])), in_words(fault)) for fault in refusal.value.errors(include_input=False)]


def test_the_order_of_the_tutorial_is_taken_as_written() -> None:
    order = OrderRequest.model_validate(EXAMPLE_ORDER)

    assert (order.amount, order.currency, order.payment_method) == (10_000, "usd", None)
    assert (order.shipping.street, order.shipping.country) == ("123 Main St", "US")


@pytest.mark.parametrize("name", ["street", "address"])
def test_the_street_has_two_names_and_is_kept_under_one(name: str) -> None:
    order = an_order_with({"shipping.address": None, f"shipping.{name}": "1 Elm St"})

    assert OrderRequest.model_validate(order).as_stored()["shipping"]["street"] == "1 Elm St"


def test_what_is_stored_reads_back_as_the_same_order() -> None:
    order = OrderRequest.model_validate(EXAMPLE_ORDER)

    assert OrderRequest.model_validate(order.as_stored()) == order


@pytest.mark.parametrize(("changes", "field", "problem", "secret"), BAD_ORDERS)
def test_bad_input_is_refused_with_the_field_and_without_the_value(changes: dict[str, Any], field: str, problem: str, secret: str) -> None:
    found = faults(an_order_with(changes))

    assert [where for where, _ in found] == [field]
    assert problem in found[0][1]
    assert not secret or secret not in found[0][1]


@pytest.mark.parametrize("body", [None, [], "order", 7, True, {}, {"items": {}}])
def test_what_is_no_order_at_all_is_refused(body: Any) -> None:
    assert faults(body)


@pytest.mark.parametrize("order_id", ["o-1001", "A", "0.x_y-z", "a" * 64])
def test_an_order_id_is_letters_digits_dot_underscore_dash(order_id: str) -> None:
    assert ORDER_ID.validate_python(order_id) == order_id


@pytest.mark.parametrize("order_id", ["", "-a", ".a", "a" * 65, "a/b", "a b", "ä", "a\n", "a\x00", "\u0661"])
def test_other_order_ids_are_refused(order_id: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        ORDER_ID.validate_python(order_id)


@pytest.mark.parametrize("token", ["pm_card_visa", "pm_1OqkqP2eZvKYlo2C1k0ZrjCd", "tok_visa", "src_18eYalAHEMiOZZp1l9ZTjSU0"])
def test_a_providers_token_is_a_payment_method(token: str) -> None:
    assert OrderRequest.model_validate({**EXAMPLE_ORDER, "paymentMethod": token}).payment_method == token


def test_differences_are_paths_without_values() -> None:
    old = OrderRequest.model_validate(EXAMPLE_ORDER).as_stored()
    new = deepcopy(old)
    new["items"][0]["quantity"], new["shipping"]["zip"], new["paymentMethod"] = 3, "94106", "pm_card_visa"

    assert differences(old, new) == ["items[0].quantity", "shipping.zip", "paymentMethod"]
    assert differences(old, {**old, "items": old["items"] * 2}) == ["items"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert differences(value, deepcopy(value)) == []


def test_a_step_of_an_order_has_one_key_per_attempt() -> None:
    order = Order(
        id="o-1001",
        hub_id=UUID(int=7),
        correlation_id="c-1",
        request=OrderRequest.model_validate(EXAMPLE_ORDER),
        payment_method="pm_card_visa",
        attempt=2,
        epoch=1,
        fence=3,
        run_id="run",
        facets=Facets(attempt=2, amount=10_000),
        due=True,
    )
    request = PaymentRequest(amount=10_000, currency="usd", payment_method="pm_card_visa", description="d", metadata=order.reference)

    assert order.effect("payment", request).key == order.effect_key("payment") == "order:o-1001:payment:2"
    assert order.result().model_dump(by_alias=True) == {
        "orderId": "o-1001",
        "status": "received",
        "chargeId": None,
        "trackingNumber": None,
        "message": "",
    }


@pytest.mark.parametrize("currency", ["isk", "UGX", "mga"])
def test_a_currency_that_stripe_counts_otherwise_is_refused(currency: str) -> None:
    with pytest.raises(ValidationError, match="Stripe counts this currency in other units"):
        OrderRequest.model_validate(EXAMPLE_ORDER | {"currency": currency})
