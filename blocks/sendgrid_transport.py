"""SendGrid's synchronous SDK on our guarded connections, and its errors in our words."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import python_http_client
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from blocks.thread_transport import guarded_opener
from blocks.translation import Answer, Call, seconds_to_wait, translated
from hub.errors import NotSent, ProviderError, Refused

if TYPE_CHECKING:
    import urllib.request
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

PROVIDER = "sendgrid"
THREADS = 16
_RECIPIENT = re.compile(r"personalizations\.\d+\.(?:to|cc|bcc)\b.*")


def _no_details(record: logging.LogRecord) -> bool:
    """The SDK logs its key, the mail and every answer at DEBUG; none of it belongs into a log."""
    return record.levelno > logging.DEBUG


logging.getLogger("python_http_client.client").addFilter(_no_details)


class GuardedSendGrid(python_http_client.Client):  # type: ignore[misc] # the SDK ships no types
    """The SDK's requests through a guarded opener; `_build_client` makes the next part of an URL, `_make_request` sends it."""

    def __init__(self, opener: urllib.request.OpenerDirector, **options: Any) -> None:
        super().__init__(**options)
        self._opener = opener

    def _build_client(self, name: str | None = None) -> GuardedSendGrid:
        return GuardedSendGrid(
            self._opener,
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
            append_slash=self.append_slash,
            timeout=self.timeout,
        )

    def _make_request(self, opener: Any, request: urllib.request.Request, timeout: float | None = None) -> Any:
        del opener  # knows the environment's proxies and follows redirects
        return super()._make_request(self._opener, request, timeout=timeout)


@dataclass(frozen=True)
class SendGridClient:
    """SendGrid's own client, and the threads its calls run in."""

    sdk: SendGridAPIClient
    threads: ThreadPoolExecutor


@asynccontextmanager
async def sendgrid_client(api_key: str, base_url: str, timeout_seconds: float) -> AsyncIterator[SendGridClient]:
    """Open the SDK's client with a time limit. Its HTTP library closes the connection after each call: nothing to pool."""
    sdk = SendGridAPIClient(api_key, host=base_url)
    sdk.client = GuardedSendGrid(
        guarded_opener(),
        host=base_url,
        request_headers=sdk.client.request_headers,
        version=3,
        timeout=timeout_seconds,
    )
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix=PROVIDER)
    try:
        yield SendGridClient(sdk, threads)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # every line was cut, so no thread is in a call for long


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what the SDK raises into a ``ProviderError`` by listed answers; ``action`` finishes the words "could not ..."."""
    return translated(PROVIDER, action, _verdict)


class _Complaint(Answer):
    field: str | None = None


class _Body(Answer):
    errors: list[_Complaint]


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, HTTPError):
        return None
    body: bytes = error.body
    call.exchange.said(body.decode(errors="replace"))
    if error.status_code == HTTPStatus.BAD_REQUEST and any(_RECIPIENT.fullmatch(field) for field in _fields(body)):
        reason = call.reason("the recipient's address is not accepted", "invalid_recipient")
        return Refused(PROVIDER, call.action, reason, "invalid_recipient")
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return NotSent(PROVIDER, call.action, call.reason("its API is not available"))
    return call.by_status(retry_after_seconds=seconds_to_wait(error.headers))


def _fields(body: bytes) -> list[str]:
    """Return the names of the fields that SendGrid finds wrong, none where it says so in no known shape."""
    try:
        return [complaint.field for complaint in _Body.model_validate(json.loads(body)).errors if complaint.field]
    except (ValueError, RecursionError):
        return []
