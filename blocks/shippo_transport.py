"""Shippo's API through our own small adapter on guarded connections, and its errors in our words."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from blocks.translation import Call, seconds_to_wait, translated
from blocks.transports import GuardedClient
from hub.errors import ProviderError, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

API_VERSION = "2018-02-08"
PROVIDER = "shippo"
_RECIPIENT = "address_to"


@asynccontextmanager
async def shippo_client(api_key: str, base_url: str, timeout_seconds: float) -> AsyncIterator[GuardedClient]:
    """Open a client that knows the address, the key and the API version."""
    headers = {"Authorization": f"ShippoToken {api_key}", "SHIPPO-API-VERSION": API_VERSION, "Accept": "application/json"}
    async with GuardedClient(timeout_seconds=timeout_seconds, base_url=base_url, headers=headers) as client:
        yield client


async def ask(client: GuardedClient, method: str, path: str, **request: Any) -> Any:
    """
    Return the JSON of a good answer.

    Raises:
        httpx.HTTPStatusError: Any other answer; `in_our_words` reads it.
        ValueError: A good answer that is no JSON.
    """
    response = await client.request(method, path, **request)
    if not response.is_success:
        raise httpx.HTTPStatusError("not a success", request=response.request, response=response)
    return response.json()


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError``; ``action`` finishes the words "could not ..."."""
    return translated(PROVIDER, action, _verdict)


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    call.exchange.said(error.response.text)
    if error.response.status_code == HTTPStatus.BAD_REQUEST and _blames_the_recipient(error.response):
        reason = call.reason("the recipient's address is not accepted", "invalid_address")
        return Refused(PROVIDER, call.action, reason, "invalid_address")
    return call.by_status(retry_after_seconds=seconds_to_wait(error.response.headers))


def _blames_the_recipient(response: httpx.Response) -> bool:
    """Tell whether the only field that Shippo finds wrong is the recipient's address; our own sender's is ours to mend."""
    try:
        complaint = response.json()
    except ValueError:
        return False
    return isinstance(complaint, dict) and set(complaint) == {_RECIPIENT}
