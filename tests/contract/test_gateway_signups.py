"""Sign-ups at the gateway's door: kept once, refused by the name of the field, and opened by their own scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func
from sqlmodel import select

from deployments.examples import EXAMPLE_SIGNUP
from hub.api_keys import add_key
from hub.database import transaction
from hub.signup_tables import SignupRow
from tests.contract.gateway_process import Gateway, running_gateway
from tests.unit.bad_signups import BAD_SIGNUPS, a_signup_with


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.with_key(await add_key("sign-ups", ("signups:read", "signups:write"))) as client:
        yield client


async def how_many() -> int:
    async with transaction() as session:
        return (await session.exec(select(func.count()).select_from(SignupRow))).one()


async def test_a_new_sign_up_is_201_the_same_again_200_and_another_409(door: httpx.AsyncClient) -> None:
    first = await door.put("/signups/s-door", json=EXAMPLE_SIGNUP)
    again = await door.put("/signups/s-door-2", json={**EXAMPLE_SIGNUP, "email": "Test.User@EXAMPLE.com"})
    other = await door.put("/signups/s-door", json={**EXAMPLE_SIGNUP, "fullName": "Somebody Else"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["signupId"] == again.json()["signupId"] == "s-door"
    assert other.json()["differs"] == ["fullName"]
    assert (await door.get("/signups/s-door")).json()["status"] == "IN_PROGRESS"
    assert "example.com" not in first.text.lower()


@pytest.mark.parametrize(("changes", "field", "secret"), BAD_SIGNUPS)
async def test_a_bad_sign_up_is_422_names_the_field_and_leaves_nothing_behind(
    door: httpx.AsyncClient, gateway: Gateway, changes: dict[str, Any], field: str, secret: str
) -> None:
    before = await how_many()

    answer = await door.put("/signups/s-bad", json=a_signup_with(changes))

    assert answer.status_code == 422
    assert field.rpartition(".")[2] in answer.text
    assert not secret or secret not in answer.text + gateway.log()
    assert await how_many() == before


async def test_nobody_knows_a_sign_up_that_was_never_placed(door: httpx.AsyncClient) -> None:
    assert (await door.get("/signups/s-nobody")).status_code == 404
    assert (await door.put("/signups/no%20such%20id", json=EXAMPLE_SIGNUP)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/signups/s-1", "signups:read"),
        ("GET", "/signups/s-1/timeline", "signups:read"),
        ("PUT", "/signups/s-1", "signups:write"),
        ("POST", "/signups/s-1/resume", "signups:write"),
    ],
)
async def test_a_key_for_orders_opens_no_sign_up(gateway: Gateway, method: str, path: str, missing: str) -> None:
    async with gateway.with_key(await add_key(f"orders-{method}{path}", ("orders:read", "orders:write"))) as client:
        answer = await client.request(method, path, json=EXAMPLE_SIGNUP)

    assert (answer.status_code, answer.json()["detail"]) == (403, f"this key does not open {missing}")
