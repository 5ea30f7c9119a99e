"""Twilio's client, and its errors in our words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx

from blocks.json_api import complaint_in, json_client
from blocks.translation import Call, seconds_to_wait, translated
from hub.errors import ProviderError, Refused

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from blocks.transports import GuardedClient

PROVIDER = "twilio"
REFUSALS = {
    "21211": "the recipient's number is none",
    "21610": "the recipient wants no texts from us",
    "21614": "the recipient's number is not a mobile one",
}
"""Codes that are the business answer no. Source: https://www.twilio.com/docs/api/errors"""
TOO_OFTEN = frozenset({"20429", "21611"})
"""Too many calls at once, and the sender's queue is full: nothing happened. Source: https://www.twilio.com/docs/api/errors/21611"""


def twilio_client(credentials: str, base_url: str, timeout_seconds: float) -> AbstractAsyncContextManager[GuardedClient]:
    """Open a client that knows the address and the ``credentials``, account SID and token with a colon between them."""
    return json_client(base_url, timeout_seconds, {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"})


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError`` by Twilio's listed codes."""
    return translated(PROVIDER, action, _verdict)


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    call.exchange.said(error.response.text)
    wait = seconds_to_wait(error.response.headers)
    given = complaint_in(error.response).get("code")
    code = str(given) if isinstance(given, int) else None
    if code is not None and error.response.is_client_error:
        if code in REFUSALS:
            return Refused(PROVIDER, call.action, call.reason(REFUSALS[code], code), code)
        if code in TOO_OFTEN:
            return call.rate_limited(wait, code)
    return call.by_status(code, retry_after_seconds=wait)
