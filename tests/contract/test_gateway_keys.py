"""Who may ask what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deployments.examples import EXAMPLE_ORDER
from hub.api_keys import add_key, revoke_key
from tests.contract.gateway_process import Gateway, running_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


async def test_two_keys_are_alive_at_once_until_one_is_revoked(gateway: Gateway) -> None:
    old, new = await add_key("rotated-old"), await add_key("rotated-new")
    async with gateway.with_key(old) as before, gateway.with_key(new) as after:
        assert (await before.get("/orders")).status_code == (await after.get("/orders")).status_code == 200

        assert await revoke_key("rotated-old")

        assert ((await before.get("/orders")).status_code, (await after.get("/orders")).status_code) == (401, 200)


ROUTES = [
    ("GET", "/orders", None),
    ("GET", "/orders/o-1", None),
    ("GET", "/orders/o-1/timeline", None),
    ("PUT", "/orders/o-keyless", EXAMPLE_ORDER),
    ("POST", "/orders/o-1/attempts", {"attempt": 1}),
    ("POST", "/orders/o-1/resume", None),
]
NO_KEYS = [None, "Bearer", "Bearer hub_wrong", "Basic aHViOnNlY3JldA==", "Bearer h\xfcb", "hub_wrong", "Bearer " + "x" * 8000]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
@pytest.mark.parametrize("shown", NO_KEYS)
async def test_without_a_good_key_everything_is_401(gateway: Gateway, method: str, path: str, body: Any, shown: str | None) -> None:
    headers = {} if shown is None else {b"Authorization": shown.encode("latin-1")}

    answer = await gateway.http.request(method, path, json=body, headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "hub_wrong" not in answer.text


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_a_key_opens_only_its_scopes(gateway: Gateway, method: str, path: str, body: Any) -> None:
    scope, missing = ("orders:write", "orders:read") if method == "GET" else ("orders:read", "orders:write")
    async with gateway.with_key(await add_key(f"half-{method}{path}", (scope,))) as half:
        answer = await half.request(method, path, json=body)

    assert (answer.status_code, answer.json()["detail"]) == (403, f"this key does not open {missing}")
