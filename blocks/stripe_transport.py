"""Stripe's SDK on our guarded connections, and its errors in our words."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import stripe

from blocks.translation import Answer, Call, seconds_to_wait, translated
from blocks.transports import GuardedClient
from hub.errors import ProviderError, Refused
from hub.exchange import current_exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractContextManager

API_VERSION = "2026-10-28.endive"
PROVIDER = "stripe"
BUSINESS_REFUSALS = frozenset({
    "amount_too_large",
    "amount_too_small",
    "charge_already_refunded",
    "charge_disputed",
    "payment_method_currency_mismatch",
    "payment_method_customer_decline",
    "payment_method_not_available",
    "payment_method_provider_decline",
})  # fmt: skip
"""Codes of a 400 that are the business's answer. Source: https://docs.stripe.com/error-codes"""

stripe.enable_telemetry = False  # it writes an id into the home directory and sends timings along


def _no_details(record: logging.LogRecord) -> bool:
    """The SDK logs bodies at DEBUG and the provider's error text at INFO; neither belongs into a log."""
    return record.levelno >= logging.WARNING


logging.getLogger("stripe").addFilter(_no_details)


class GuardedStripeHTTP(stripe.HTTPClient):
    """The SDK's requests on a guarded client. Its exceptions pass through the SDK untouched, which repeats nothing."""

    name = "httpx"

    def __init__(self, client: GuardedClient) -> None:
        super().__init__()
        self._client = client

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: str | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and return its body, status and headers."""
        response = await self._client.request(method, url, headers=dict(headers), content=post_data)
        current_exchange().replayed = response.headers.get("idempotent-replayed") == "true"  # the SDK loses it with a body it cannot read
        return response.content, response.status_code, response.headers


@asynccontextmanager
async def stripe_client(api_key: str, base_url: str, timeout_seconds: float) -> AsyncIterator[stripe.StripeClient]:
    """Open the SDK's client with retries and telemetry off and the API version pinned."""
    async with GuardedClient(timeout_seconds=timeout_seconds) as http:
        yield stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base_url, "connect": base_url, "files": base_url, "meter_events": base_url},
            http_client=GuardedStripeHTTP(http),
            max_network_retries=0,
        )


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what the SDK raises into a ``ProviderError`` by listed codes; ``action`` finishes the words "could not ..."."""
    return translated(PROVIDER, action, _verdict)


class _Intent(Answer):
    id: str


class _Complaint(Answer):
    code: str | None = None
    decline_code: str | None = None
    payment_intent: _Intent | None = None


class _Body(Answer):
    error: _Complaint


def complaint_of(error: stripe.StripeError) -> _Complaint:
    """Return what Stripe said about its error, empty where it said it in no known shape."""
    try:
        return _Body.model_validate(error.json_body).error
    except ValueError:
        return _Complaint()


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, stripe.StripeError):
        return None
    call.exchange.said(error.user_message or error.http_body or "")
    if call.exchange.http_status is None:
        return None
    complaint = complaint_of(error)
    return _refusal(call, error, complaint) or _failure(call, error, complaint)


def _refusal(call: Call, error: stripe.StripeError, complaint: _Complaint) -> Refused | None:
    if isinstance(error, stripe.CardError):
        code = complaint.decline_code or complaint.code or "card_declined"
    elif isinstance(error, stripe.InvalidRequestError) and complaint.code in BUSINESS_REFUSALS:
        code = complaint.code
    else:
        return None
    reference = complaint.payment_intent.id if complaint.payment_intent else None
    return Refused(PROVIDER, call.action, call.reason("the answer is no", code), code, reference)


def _failure(call: Call, error: stripe.StripeError, complaint: _Complaint) -> ProviderError:
    if isinstance(error, stripe.RateLimitError):
        return call.rate_limited(seconds_to_wait(error.headers or {}), complaint.code)
    if isinstance(error, stripe.IdempotencyError):
        return call.unknown("the key belongs to other parameters", complaint.code, same_key_is_useless=True)
    if call.exchange.http_status == HTTPStatus.CONFLICT:
        return call.unknown("the first request under this key is still under way", complaint.code)
    return call.by_status(complaint.code)
