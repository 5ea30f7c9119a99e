"""Signs a webhook and sends it, once; what comes of it stands in the delivery."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from sandbox.callback_delivery import Delivery, manner_of
from sandbox.callback_secrets import CallbackSecrets
from sandbox.callback_signing import SIGNERS, Draft, Letter

_ANSWER_BYTES = 2000
_IDLE_SECONDS = 2  # below uvicorn's 5, so that no delivery meets a connection that the receiver is just closing
_OK, _NOT_OK = 200, 300
_log = logging.getLogger(__name__)


class Sender:
    """Sends with pooled connections while it is open; ``secrets_file`` is what it signs with."""

    def __init__(self, secrets_file: Path | None) -> None:
        self._secrets = CallbackSecrets(secrets_file)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold connections while the block runs."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            yield
        self._session = None

    async def attempt(self, delivery: Delivery) -> float | None:
        """Try once. Returns the pause before the next attempt, in the manner's units, or None when it is over."""
        manner = manner_of(delivery)
        delivery.attempts += 1
        delivery.status, delivery.error = None, None
        try:
            letter = self._signed(delivery)
        except (OSError, ValueError, TypeError) as error:
            _give_up(delivery, f"it could not be signed: {error}")
            return None
        delivery.body, delivery.headers = letter.body.decode(), letter.headers
        delivery.sent_at = delivery.sent_at or time.time()
        try:
            await self._post(delivery, letter, manner.timeout_seconds)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            delivery.status, delivery.error = None, type(error).__name__
            delivery.trouble = "http_timeout" if isinstance(error, TimeoutError) else "connection_failed"
        if delivery.error is None and _OK <= (delivery.status or 0) < _NOT_OK:
            delivery.state = "delivered"
            return None
        if not delivery.no_repeat and delivery.attempts <= len(manner.pauses) and manner.repeats(delivery.status):
            return manner.pauses[delivery.attempts - 1]
        _give_up(delivery, delivery.error)
        return None

    def _signed(self, delivery: Delivery) -> Letter:
        first = delivery.first
        secret = self._secrets.of(first.provider)
        if secret is None:
            raise ValueError(f"there is no webhook secret for {first.provider}")
        draft = Draft(
            kind=first.kind,
            identity=first.identity,
            contents=[callback.content for callback in delivery.callbacks],
            form=first.form,
            url=delivery.url,
            secret=secret,
            attempt=delivery.attempts,
            trouble=delivery.trouble,
            now=time.time(),
        )
        return SIGNERS[first.provider](draft)

    async def _post(self, delivery: Delivery, letter: Letter, seconds: float) -> None:
        if self._session is None:
            raise aiohttp.ClientConnectionError("the sandbox stops")
        limit = aiohttp.ClientTimeout(total=seconds)
        # The address exactly as it was given, but for the fragment: Twilio's signature is over it.
        address = URL(delivery.url.partition("#")[0], encoded=True)
        async with self._session.post(address, data=letter.body, headers=letter.headers, timeout=limit, allow_redirects=False) as answer:
            delivery.status, delivery.trouble = answer.status, "http_error"
            delivery.answer = (await answer.content.read(_ANSWER_BYTES)).decode(errors="replace")
            delivery.no_repeat = delivery.first.provider == "slack" and answer.headers.get("X-Slack-No-Retry") == "1"


def _give_up(delivery: Delivery, error: str | None) -> None:
    delivery.state, delivery.error = "failed", error
    _log.warning("%s %s was not delivered: %s %s", delivery.first.provider, delivery.first.kind, delivery.status, error or "")
