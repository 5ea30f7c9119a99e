"""Whatever comes in that should not: a clear 4xx, nothing stored, nothing charged, nothing repeated in an answer or a log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func
from sqlmodel import select

from deployments.examples import EXAMPLE_ORDER
from hub.api_keys import add_key
from hub.database import transaction
from hub.tables import AttemptRow, EffectRow, FactRow, OrderRow
from tests.contract.gateway_process import Gateway, running_gateway
from tests.unit.bad_orders import BAD_ORDERS, an_order_with

MEGABYTE = 1024 * 1024
JSON = {"Content-Type": "application/json"}
CUSTOMER = {
    "customer.email": "bob.builder@example.net",
    "customer.name": "Bob Builder",
    "customer.phone": "+15557654321",
    "shipping.address": "4711 Secret Alley",
}
_numbers = count()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.with_key(await add_key("shop")) as client:
        yield client


async def everything_stored() -> list[int]:
    async with transaction() as session:
        return [(await session.exec(select(func.count()).select_from(table))).one() for table in (OrderRow, EffectRow, AttemptRow, FactRow)]


async def refused(shop: httpx.AsyncClient, code: int, *, order_id: str = "o-bad", **request: Any) -> httpx.Response:
    """Return the answer to a PUT that was refused with ``code``, that left nothing behind, and that says what is wrong."""
    before = await everything_stored()

    answer = await shop.put(f"/orders/{order_id}", **request)

    assert answer.status_code == code, answer.text
    assert answer.json()["detail"]
    assert await everything_stored() == before
    return answer


@pytest.mark.parametrize(("changes", "field", "problem", "secret"), BAD_ORDERS)
async def test_a_bad_order_is_refused_and_its_field_named(
    shop: httpx.AsyncClient, changes: dict[str, Any], field: str, problem: str, secret: str
) -> None:
    body = json.dumps(an_order_with(CUSTOMER | {name: value for name, value in changes.items() if value is not None}))
    if None in changes.values():
        body = json.dumps(an_order_with(changes))

    answer = await refused(shop, 422, content=body, headers=JSON)

    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert problem in answer.json()["errors"][0]["problem"]
    assert not [word for word in [secret, *CUSTOMER.values()] if word and word in answer.text]


@pytest.mark.parametrize("order_id", ["-a", "a%20b", "a%00", "%F0%9F%8E%81", "a" * 65, "a%0A", "%D9%A1", "%ff"])
async def test_an_order_id_outside_the_pattern_is_422(shop: httpx.AsyncClient, order_id: str) -> None:
    answer = await refused(shop, 422, order_id=order_id, json=EXAMPLE_ORDER)

    assert [error["field"] for error in answer.json()["errors"]] == ["order_id"]


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_body_of_10_mb_is_413(shop: httpx.AsyncClient, *, with_length: bool) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * MEGABYTE

    answer = await refused(shop, 413, content=b" " * 10 * MEGABYTE if with_length else in_pieces(), headers=JSON)

    assert answer.json()["detail"] == "the body is larger than 1048576 bytes"


async def test_a_body_that_announces_a_terabyte_is_413_at_once(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    writer.write(f"PUT /orders/o-huge HTTP/1.1\r\nHost: hub\r\nContent-Length: {MEGABYTE**2}\r\n\r\n[".encode())

    answer = await asyncio.wait_for(reader.read(), timeout=5)

    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"order",
        b"{'items': []}",
        b'{"items": [}',
        b"\xff\xfe{",
        b'{"a": "\xff"}',
        b"\x00",
        b"[" * 100_000,
        b'{"price": ' + b"9" * 5000 + b"}",
    ],
    ids=["nothing", "half", "a word", "python", "broken", "utf-16", "latin-1", "NUL", "nested without end", "a number without end"],
)
async def test_json_that_is_not_json_is_a_clear_refusal(shop: httpx.AsyncClient, body: bytes) -> None:
    answer = await refused(shop, 400 if body else 422, content=body, headers=JSON)

    assert b"order" not in body or "order" not in answer.text


@pytest.mark.parametrize("depth", [10, 400, 5_000, 200_000])
async def test_deeply_nested_json_is_refused_like_any_other(shop: httpx.AsyncClient, depth: int) -> None:
    body = json.dumps(EXAMPLE_ORDER)[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"

    before = await everything_stored()
    answer = await shop.put("/orders/o-deep", content=body, headers=JSON)

    assert answer.status_code in {400, 422}
    assert await everything_stored() == before


@pytest.mark.parametrize("body", ["null", "[]", "7", '"order"', "true", "{}", '{"items": {}}', "NaN"])
async def test_json_that_is_no_order_is_422(shop: httpx.AsyncClient, body: str) -> None:
    await refused(shop, 422, content=body, headers=JSON)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data", "json", None]
)
async def test_a_body_that_does_not_call_itself_json_is_415(shop: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await refused(shop, 415, content=json.dumps(EXAMPLE_ORDER), headers=headers)

    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_of_a_thousand_wrong_fields_twenty_are_named(shop: httpx.AsyncClient) -> None:
    answer = await refused(shop, 422, json={**EXAMPLE_ORDER, **{f"extra{number}": 1 for number in range(1000)}})

    assert len(answer.json()["errors"]) == 20
    assert answer.json()["detail"].endswith("and 980 more")


@pytest.mark.parametrize("name", ["bob.builder@example.net", "4242 4242 4242 4242", "é", "x" * 100])
async def test_a_value_in_the_place_of_a_field_name_is_not_repeated(shop: httpx.AsyncClient, name: str) -> None:
    answer = await refused(shop, 422, json={**EXAMPLE_ORDER, name: 1})

    assert [error["field"] for error in answer.json()["errors"]] == ["(unknown)"]
    assert name not in answer.text


async def test_other_content_under_a_known_id_changes_nothing(shop: httpx.AsyncClient) -> None:
    assert (await shop.put("/orders/o-kept", json=EXAMPLE_ORDER)).status_code == 201

    answer = await refused(shop, 409, order_id="o-kept", json=an_order_with(CUSTOMER))

    assert answer.json()["differs"] == ["customer.email", "customer.name", "customer.phone", "shipping.street"]
    assert not [value for value in CUSTOMER.values() if value in answer.text]


NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        [
            "\x00",
            "\ud800",
            "a\x00b",
            "\u202e",
            "\u2028",
            "' OR 1=1 --",
            "{{7*7}}",
            "<script>",
            "usd",
            "US",
            "+15551234567",
            "a@b.co",
            "9" * 400,
        ]
    ),
)
ANYTHING = st.recursive(
    NASTY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just("\x00"), inner, max_size=4),
    max_leaves=12,
)
PLACES = ["items", "items.0", "items.0.productId", "items.0.quantity", "items.0.price", "items.0.product_id", "customer", "customer.email"]
PLACES += ["customer.name", "customer.phone", "shipping", "shipping.address", "shipping.street", "shipping.city", "shipping.state"]
PLACES += ["shipping.zip", "shipping.country", "currency", "paymentMethod", "payment_method", "more"]


def put_in(place: str, value: Any) -> dict[str, Any]:
    return an_order_with({place: value}) if value is not None else {**EXAMPLE_ORDER, "paymentMethod": None}


ORDERS = st.builds(put_in, st.sampled_from(PLACES), ANYTHING)
BODIES = st.one_of(
    ORDERS.map(json.dumps),
    ORDERS.map(json.dumps),
    ANYTHING.map(json.dumps),
    ORDERS.map(lambda order: json.dumps(order)[:-7]),
    st.binary(max_size=40),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(body=BODIES)
async def test_no_body_whatever_makes_the_gateway_stumble(shop: httpx.AsyncClient, body: str | bytes) -> None:
    order_id = f"o-fuzz-{next(_numbers)}"

    answer = await shop.put(f"/orders/{order_id}", content=body, headers=JSON)

    assert answer.status_code in {201, 400, 422}, answer.text
    kept = (await shop.get(f"/orders/{order_id}")).status_code
    assert kept == (200 if answer.status_code == 201 else 404)


@settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(body=ANYTHING | st.fixed_dictionaries({"attempt": NASTY}, optional={"paymentMethod": NASTY}))
async def test_no_wish_for_an_attempt_makes_it_stumble_either(shop: httpx.AsyncClient, body: Any) -> None:
    answer = await shop.post("/orders/o-nobody/attempts", content=json.dumps(body), headers=JSON)

    assert answer.status_code in {404, 422}, answer.text


@settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(status=st.text(max_size=8), cursor=st.text(max_size=40), limit=st.text(max_size=8) | st.integers().map(str))
async def test_no_query_makes_it_stumble_either(shop: httpx.AsyncClient, status: str, cursor: str, limit: str) -> None:
    for query in ({"status": status}, {"cursor": cursor}, {"limit": limit}):
        text = "&".join(f"{name}={''.join(f'%{byte:02x}' for byte in value.encode(errors='replace'))}" for name, value in query.items())

        assert (await shop.get(f"/orders?{text}")).status_code in {200, 422}


def test_nothing_of_all_that_is_in_the_log(gateway: Gateway, shop: httpx.AsyncClient) -> None:
    secrets = ["4242", *CUSTOMER.values(), EXAMPLE_ORDER["customer"]["email"], shop.headers["authorization"].removeprefix("Bearer ")]

    assert not [word for word in [*secrets, "Traceback"] if word in gateway.log()]
