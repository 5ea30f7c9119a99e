"""Releases at the gateway's door: kept once, refused by the name of the field, and opened by their own scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deployments.examples import EXAMPLE_RELEASE
from hub.api_keys import add_key
from tests.contract.gateway_process import Gateway, running_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.with_key(await add_key("releases", ("releases:read", "releases:write"))) as client:
        yield client


async def test_a_new_release_is_201_the_same_again_200_and_another_409(door: httpx.AsyncClient) -> None:
    first = await door.put("/releases/r-door", json=EXAMPLE_RELEASE)
    again = await door.put("/releases/r-door", json={**EXAMPLE_RELEASE, "requiredContexts": []})
    other = await door.put("/releases/r-door", json={**EXAMPLE_RELEASE, "ref": "topic"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert other.json()["differs"] == ["ref"]
    view = (await door.get("/releases/r-door")).json()
    assert (view["status"], view["repository"], view["deploymentId"]) == ("requested", "example/shop", None)
    assert (await door.get("/releases/r-door/timeline")).json() == []
    assert (await door.post("/releases/r-door/resume")).status_code == 202


@pytest.mark.parametrize("field", ["repository", "ref", "environment", "requiredContexts"])
async def test_a_bad_release_is_422_and_names_the_field(door: httpx.AsyncClient, field: str) -> None:
    answer = await door.put("/releases/r-bad", json={**EXAMPLE_RELEASE, field: [""]})

    assert answer.status_code == 422
    assert field in answer.text
    assert (await door.get("/releases/r-bad")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/releases/r-1", "releases:read"),
        ("GET", "/releases/r-1/timeline", "releases:read"),
        ("PUT", "/releases/r-1", "releases:write"),
        ("POST", "/releases/r-1/resume", "releases:write"),
    ],
)
async def test_a_key_for_orders_opens_no_release(gateway: Gateway, method: str, path: str, missing: str) -> None:
    async with gateway.with_key(await add_key(f"orders-{method}{path}", ("orders:read", "orders:write"))) as client:
        answer = await client.request(method, path, json=EXAMPLE_RELEASE)

    assert (answer.status_code, answer.json()["detail"]) == (403, f"this key does not open {missing}")
