"""Whatever somebody types into a sign-up or a release is told apart as wrong, or kept and shown as the text that it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from hub.api_keys import add_key
from tests.contract.gateway_process import Gateway, running_gateway
from tests.contract.pages_kit import HOSTILE

JSON = "application/json"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.with_key(await add_key(f"shop {uuid4().hex[:8]}")) as client:
        yield client


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_name_of_a_sign_up_is_kept_as_text_or_is_too_long(http: httpx.AsyncClient, what: str) -> None:
    signup_id = f"s-{uuid4().hex[:8]}"

    answer = await http.put(f"/signups/{signup_id}", json={"email": f"{signup_id}@example.com", "fullName": HOSTILE[what]})

    assert answer.headers["content-type"] == JSON
    if what == "long":
        assert answer.status_code == 422
        assert "fullName" in answer.text
        return
    assert answer.status_code == 201
    for path in (f"/signups/{signup_id}", f"/signups/{signup_id}/timeline"):
        shown = await http.get(path)
        assert (shown.status_code, shown.headers["content-type"]) == (200, JSON)


@pytest.mark.parametrize("field", ["repository", "ref", "environment"])
@pytest.mark.parametrize("what", HOSTILE)
async def test_words_of_a_release_are_kept_as_text_or_said_to_be_wrong(http: httpx.AsyncClient, what: str, field: str) -> None:
    release_id = f"r-{uuid4().hex[:8]}"
    asked = {"repository": "example/shop", "ref": "main", "environment": "production"}

    answer = await http.put(f"/releases/{release_id}", json=asked | {field: HOSTILE[what]})

    assert (answer.status_code in (201, 422), answer.headers["content-type"]) == (True, JSON)
    if answer.status_code == 422:
        assert field in answer.text
        return
    for path in (f"/releases/{release_id}", f"/releases/{release_id}/timeline"):
        shown = await http.get(path)
        assert (shown.status_code, shown.headers["content-type"]) == (200, JSON)
