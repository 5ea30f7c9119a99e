"""The warehouse's client, how a message to it is signed, and its errors in our words."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx

from blocks.json_api import ask, complaint_in, json_client
from blocks.translation import Call, seconds_to_wait, translated
from hub.errors import ProviderError, Refused
from hub.standard_webhooks import signed_headers

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from blocks.transports import GuardedClient

PROVIDER = "warehouse"
REFUSALS = {
    "unknown_product": "it does not have the product",
    "handed_over": "the carrier has the parcel",
}
"""Codes that are the business answer no; docs/providers/warehouse.md asks a warehouse for exactly these."""


def warehouse_client(base_url: str, timeout_seconds: float) -> AbstractAsyncContextManager[GuardedClient]:
    """Open a client that knows the address; each request is signed by itself."""
    return json_client(base_url, timeout_seconds, {"Content-Type": "application/json"})


async def tell(client: GuardedClient, secret: str, path: str, message_id: str, event: dict[str, Any]) -> Any:
    """Send ``event`` as a signed message and return the answer. Raises like ``ask``."""
    body = json.dumps(event, separators=(",", ":")).encode()
    return await ask(client, "POST", path, content=body, headers=signed_headers(secret, message_id, body, now=time.time()))


async def look(client: GuardedClient, secret: str, path: str, message_id: str) -> Any:
    """Return what the warehouse says about an earlier message; the question is signed like one without a body. Raises like ``ask``."""
    headers = signed_headers(secret, message_id, b"", now=time.time())
    return await ask(client, "GET", path, params={"webhookId": message_id}, headers=headers)


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError`` by the warehouse's listed codes."""
    return translated(PROVIDER, action, _verdict)


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    call.exchange.said(error.response.text)
    said = complaint_in(error.response).get("error")
    code = said.get("code") if isinstance(said, dict) else None
    if isinstance(code, str) and code in REFUSALS and error.response.is_client_error:
        return Refused(PROVIDER, call.action, call.reason(REFUSALS[code], code), code)
    return call.by_status(code if isinstance(code, str) else None, retry_after_seconds=seconds_to_wait(error.response.headers))
