"""GitHub's client, and its errors in our words."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from blocks.json_api import complaint_in, json_client
from blocks.translation import Call, translated
from hub.errors import ProviderError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from blocks.transports import GuardedClient

PROVIDER = "github"
API_VERSION = "2022-11-28"
LEAST_PATIENCE_SECONDS = 60.0
"""Where GitHub asks for patience and does not say for how long."""
_MAY_BE_A_LIMIT = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)


def github_client(token: str, base_url: str, timeout_seconds: float) -> AbstractAsyncContextManager[GuardedClient]:
    """Open a client that knows the address, the token and the API version."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION}
    return json_client(base_url, timeout_seconds, headers)


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what httpx raises into a ``ProviderError``; ``action`` finishes the words "could not ..."."""
    return translated(PROVIDER, action, _verdict)


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    response = error.response
    call.exchange.said(response.text)
    said = complaint_in(response)
    message = str(said.get("message", ""))
    if response.status_code in _MAY_BE_A_LIMIT and (wait := _patience(response.headers, message)) is not None:
        return call.rate_limited(wait)
    if (refusal := _refusal(response.status_code, said, message)) is not None:
        code, words = refusal
        return Refused(PROVIDER, call.action, call.reason(words, code), code)
    return call.by_status()


def _refusal(status: int, said: dict[str, Any], message: str) -> tuple[str, str] | None:
    """
    Return the code and the words of a no that is GitHub's last word; None for everything else.

    Source: https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
    """
    if status == HTTPStatus.CONFLICT and message.startswith("Conflict"):
        errors = said.get("errors")
        fields = [error.get("field") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        if "required_contexts" in fields:
            return "failed_contexts", "a required check has not passed"
        return "merge_conflict", "the ref cannot be merged"
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        if message.startswith("No ref found"):
            return "no_such_ref", "the repository has no such ref"
        return "unprocessable", "what was asked for makes no sense there"
    return None


def _patience(headers: Mapping[str, str], message: str) -> float | None:
    """
    Return for how many seconds GitHub wants to be left alone, or None when it says no for another reason.

    Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if (after := headers.get("Retry-After", "")).isdecimal():
        return float(after)
    if headers.get("X-RateLimit-Remaining") == "0" and (reset := headers.get("X-RateLimit-Reset", "")).isdecimal():
        return max(0.0, float(reset) - time.time())
    return LEAST_PATIENCE_SECONDS if "rate limit" in message else None
