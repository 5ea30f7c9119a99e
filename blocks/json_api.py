"""Our own small adapter for JSON APIs without a fit SDK, on guarded connections, for Shippo, Twilio, GitHub, our profile service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from blocks.transports import GuardedClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@asynccontextmanager
async def json_client(base_url: str, timeout_seconds: float, headers: Mapping[str, str]) -> AsyncIterator[GuardedClient]:
    """Open a client that knows the address, the time limit of a call, and the ``headers`` of every request, the key's among them."""
    wanted = {"Accept": "application/json", **headers}
    async with GuardedClient(timeout_seconds=timeout_seconds, base_url=base_url, headers=wanted) as client:
        yield client


async def ask(client: GuardedClient, method: str, path: str, **request: Any) -> Any:
    """
    Return the JSON of a good answer, or None when the good answer is 204 and has none.

    Raises:
        httpx.HTTPStatusError: Any other answer; the account's ``in_our_words`` reads it.
        ValueError: A good answer that is no JSON.
    """
    response = await answered(client, method, path, **request)
    return None if response.status_code == httpx.codes.NO_CONTENT else response.json()


async def answered(client: GuardedClient, method: str, path: str, **request: Any) -> httpx.Response:
    """Return a good answer, whatever is in it. Raises like ``ask`` for any other."""
    response = await client.request(method, path, **request)
    if not response.is_success:
        raise httpx.HTTPStatusError("not a success", request=response.request, response=response)
    return response


def complaint_in(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in which an API says what is wrong; empty when it says it in any other way."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
