"""Shippo's client, and its errors in our words."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from blocks.json_api import complaint_in, json_client
from blocks.translation import Call, seconds_to_wait, translated
from hub.errors import ProviderError, Refused

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from blocks.transports import GuardedClient

API_VERSION = "2018-02-08"
PROVIDER = "shippo"
_RECIPIENT = "address_to"


def shippo_client(api_key: str, base_url: str, timeout_seconds: float) -> AbstractAsyncContextManager[GuardedClient]:
    """Open a client that knows the address, the key and the API version."""
    return json_client(base_url, timeout_seconds, {"Authorization": f"ShippoToken {api_key}", "SHIPPO-API-VERSION": API_VERSION})


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError``; ``action`` finishes the words "could not ..."."""
    return translated(PROVIDER, action, _verdict)


def blames(response: httpx.Response, field: str) -> bool:
    """Tell whether Shippo does not accept a request for the sake of this field alone."""
    return response.status_code == HTTPStatus.BAD_REQUEST and set(complaint_in(response)) == {field}


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    call.exchange.said(error.response.text)
    if blames(error.response, _RECIPIENT):
        reason = call.reason("the recipient's address is not accepted", "invalid_address")  # the sender's would be ours to mend
        return Refused(PROVIDER, call.action, reason, "invalid_address")
    return call.by_status(retry_after_seconds=seconds_to_wait(error.response.headers))
