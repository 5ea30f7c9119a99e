from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jinja2 import UndefinedError

import hub
from hub.facets import Facets
from hub.letters import letter
from hub.orders import Order, OrderRequest
from tests.unit.bad_orders import an_order_with

TEMPLATES = sorted({path.stem for path in (Path(hub.__file__).parent / "templates").glob("order_*.html")})
HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def order_of() -> Callable[..., Order]:
    def order(**changes: Any) -> Order:
        request = OrderRequest.model_validate(an_order_with({name.replace("__", "."): value for name, value in changes.items()}))
        return Order(
            id="o-1001",
            hub_id=UUID(int=7),
            correlation_id="c-1",
            request=request,
            payment_method="pm_card_visa",
            attempt=1,
            epoch=1,
            fence=1,
            run_id="run",
            facets=Facets(amount=request.amount),
            due=True,
        )

    return order


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_has_two_bodies_that_name_the_customer_the_order_and_the_money(template: str, order_of: Callable[..., Order]) -> None:
    mail = letter(template, "About your order", order_of(), tracking_number="1Z999")

    assert (mail.to_email, mail.to_name, mail.subject) == ("customer@example.com", "Test Customer", "About your order")
    assert mail.metadata == {"hub_id": str(UUID(int=7)), "order_id": "o-1001", "correlation_id": "c-1"}
    for body in (mail.text, mail.html):
        assert not [word for word in ("Test Customer", "o-1001", "100.00 USD") if word not in body]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_hostile_customer_stays_text(template: str, order_of: Callable[..., Order]) -> None:
    items = [{"productId": "<i>sku</i>", "quantity": 1, "price": 100}]
    hostile = order_of(customer__name=HOSTILE, shipping__address='"><img src=x>', shipping__city="<b>", items=items)

    mail = letter(template, "About your order", hostile, tracking_number="<u>1Z</u>")

    assert not [tag for tag in ("<script", "<img", "<i>", "<u>") if tag in mail.html]
    assert "&lt;script&gt;" in mail.html
    assert HOSTILE in mail.text


def test_the_confirmation_tells_what_comes_where_and_how_to_follow_it(order_of: Callable[..., Order]) -> None:
    mail = letter("order_confirmed", "Confirmed", order_of(), tracking_number="1Z999")

    for body in (mail.text, mail.html):
        assert not [word for word in ("prod-123", "123 Main St", "94105 San Francisco", "1Z999") if word not in body]


def test_a_letter_with_a_gap_is_not_written(order_of: Callable[..., Order]) -> None:
    with pytest.raises(UndefinedError):
        letter("order_confirmed", "Confirmed", order_of())
