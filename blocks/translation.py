"""How a provider's call went wrong, from five libraries' exceptions into the four answers of `hub.errors`."""

from __future__ import annotations

import http.client
import math
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import httpx
from pydantic import BaseModel, ConfigDict, model_validator

from blocks.transports import UnusableAnswer
from hub.errors import LeftTooLate, Misconfigured, NotSent, OutcomeUnknown, ProviderError, RateLimited
from hub.exchange import SendWindowClosed, current_exchange, exchanging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from hub.exchange import Exchange

    Judge = Callable[["Call", Exception], ProviderError | None]

_ON_THE_WAY = (httpx.HTTPError, aiohttp.ClientError, http.client.HTTPException, OSError)
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
LONGEST_PATIENCE_SECONDS = 86_400.0
_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_IT_MAY_HAVE_HAPPENED = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
_WORDS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the key is not accepted",
    HTTPStatus.FORBIDDEN: "the key may not do this",
    HTTPStatus.NOT_FOUND: "the provider does not know what the request is about",
}


class Answer(BaseModel):
    """What we read of a provider's answer: exact types, the rest ignored, its content never echoed in a validation error."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        if any(isinstance(value, str) and "\0" in value for value in vars(self).values()):
            raise ValueError("a letter that PostgreSQL does not keep")
        return self


@dataclass(frozen=True)
class Call:
    """One thing asked of one provider, as far as its error needs to know. ``action`` finishes the words "could not ..."."""

    provider: str
    action: str
    exchange: Exchange

    def reason(self, words: str, code: str | None = None) -> str:
        """Return ``words`` with the provider's code, the HTTP status and the request id, as far as there are any."""
        details = [plain_code(code)] if code else []
        if self.exchange.http_status is not None:
            details.append(f"HTTP {self.exchange.http_status}")
        if self.exchange.request_id is not None:
            details.append(f"request {self.exchange.request_id}")
        return f"{words} ({', '.join(details)})" if details else words

    def unknown(self, words: str, code: str | None = None, *, same_key_is_useless: bool = False) -> OutcomeUnknown:
        """It may have happened. An answer that was replayed says the same however often its key is used."""
        return OutcomeUnknown(self.provider, self.action, self.reason(words, code), same_key_is_useless or self.exchange.replayed)

    def misconfigured(self, words: str, code: str | None = None) -> Misconfigured:
        """Nothing happened, and an operator has to mend something."""
        return Misconfigured(self.provider, self.action, self.reason(words, code))

    def rate_limited(self, retry_after_seconds: float | None, code: str | None = None) -> RateLimited:
        """Nothing happened; we asked too often."""
        return RateLimited(self.provider, self.action, self.reason("asked too often", code), retry_after_seconds)

    def by_status(self, code: str | None = None, *, retry_after_seconds: float | None = None) -> ProviderError:
        """Return what an answer means that nothing more specific is known about."""
        status = self.exchange.http_status or 0
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return self.rate_limited(retry_after_seconds, code)
        if status in _IT_MAY_HAVE_HAPPENED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.unknown("the provider failed", code)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return self.unknown("an answer nobody can read", code)
        if status < HTTPStatus.BAD_REQUEST:
            return self.misconfigured("the address redirects elsewhere", code)
        return self.misconfigured(_WORDS.get(status, "the request is not accepted"), code)


@contextmanager
def translated(provider: str, action: str, judge: Judge) -> Iterator[Call]:
    """
    Turn whatever ends the block badly into a ``ProviderError``; a bug of ours before anything was sent stays what it is.

    ``judge`` reads the provider's own complaint out of its SDK's exception, or returns None where there is none. The SDK's exception
    is not shown as the cause: its text can hold numbers and addresses.
    """
    call = Call(provider, action, current_exchange())
    with exchanging(call.exchange):  # also outside the ledger: what was sent must be known either way
        try:
            yield call
        except ProviderError:
            raise
        except Exception as error:
            verdict = judge(call, error) or _common(call, error)
            if verdict is None:
                raise
            raise verdict from None


def plain_code(code: str) -> str:
    """Return a provider's code when it looks like one, and the words "an unusual code" when it could be anything."""
    return code if _PLAIN_CODE.fullmatch(code) else "an unusual code"


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds a provider asks us to wait, at most a day, or None when it does not say; no time at all says nothing, either.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    Source: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits (X-RateLimit-Reset, Unix seconds)
    """
    if (after := headers.get("Retry-After")) is not None:
        if (seconds := _number(after)) is not None:
            return _patience(seconds)
        try:
            moment = parsedate_to_datetime(after)
        except ValueError:
            return None
        return _patience((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())
    if (reset := _number(headers.get("X-RateLimit-Reset", ""))) is not None:
        return _patience(reset - time.time())
    return None


def _patience(seconds: float) -> float | None:
    return min(seconds, LONGEST_PATIENCE_SECONDS) if seconds > 0 else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _common(call: Call, error: Exception) -> ProviderError | None:
    kind = type(error).__name__
    status = call.exchange.http_status
    if isinstance(error, SendWindowClosed):
        return LeftTooLate(call.provider, call.action, "the moment up to which it might be sent was over")
    if isinstance(error, (UnusableAnswer, *_UNREADABLE)) and status is not None:
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            return call.by_status()  # whatever is wrong with its body
        return call.unknown(f"an answer nobody can read ({kind})")
    if isinstance(error, _ON_THE_WAY):
        if call.exchange.sent:
            return call.unknown(f"the answer was lost ({kind})")
        return NotSent(call.provider, call.action, f"no connection ({kind})")
    return None
