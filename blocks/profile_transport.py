"""The profile service's client, and its errors in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from blocks.json_api import complaint_in, json_client
from blocks.translation import Call, seconds_to_wait, translated
from hub.errors import ProviderError, Refused

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from blocks.transports import GuardedClient

PROVIDER = "profiles"
GONE = "profile_not_found"
REFUSALS = {
    "email_taken": "the mail address belongs to another user",
    "invalid_email": "the mail address is none",
    "invalid_phone_number": "the phone number is none",
    GONE: "there is no such user",
}
"""Codes that are the business answer no; docs/providers/profiles.md asks a service for exactly these."""


def profile_client(api_key: str, base_url: str, timeout_seconds: float) -> AbstractAsyncContextManager[GuardedClient]:
    """Open a client that knows the address and the key."""
    return json_client(base_url, timeout_seconds, {"Authorization": f"Bearer {api_key}"})


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError`` by the service's listed codes."""
    return translated(PROVIDER, action, _verdict)


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    call.exchange.said(error.response.text)
    said = complaint_in(error.response).get("error")
    said = said if isinstance(said, dict) else {}
    code, existing = (value if isinstance(value, str) else None for value in (said.get("code"), said.get("existingId")))
    if code in REFUSALS and error.response.is_client_error:
        return Refused(PROVIDER, call.action, call.reason(REFUSALS[code], code), code, existing)
    return call.by_status(code, retry_after_seconds=seconds_to_wait(error.response.headers))
