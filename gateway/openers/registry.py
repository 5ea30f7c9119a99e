"""Who may call us back, and how a delivery of theirs is opened. Adding a provider is a line here and a module beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.openers import (
    custom_webhooks,
    github_webhooks,
    sendgrid_webhooks,
    shippo_webhooks,
    slack_webhooks,
    stripe_webhooks,
    twilio_webhooks,
)
from gateway.openers.delivery import Delivery, NotGenuine
from gateway.openers.identities import unreadable
from hub.notices import Notice

log = logging.getLogger(__name__)

Verify = Callable[[Delivery, str], None]


@dataclass(frozen=True)
class Opened:
    """What a genuine delivery held, and the very bytes that the provider wants to hear; None: any 2xx will do."""

    notices: list[Notice]
    answer: bytes | None = None


def _any_answer(delivery: Delivery) -> None:
    del delivery


@dataclass(frozen=True)
class Opener:
    """
    One provider's way of calling back.

    ``verify`` raises anything at all unless the delivery is surely the provider's under this secret; ``verify_token`` is a weaker way that
    an account may choose; ``notices`` splits what was verified, and ``answer`` finds the words for it; they may raise anything too.
    """

    provider: str
    verify: Verify
    notices: Callable[[Delivery], list[Notice]]
    verify_token: Verify | None = None
    answer: Callable[[Delivery], bytes | None] = _any_answer

    def open(self, delivery: Delivery, secrets: Sequence[str], *, by_token: bool = False) -> Opened:
        """
        Return what the delivery holds if one of ``secrets``, newest first, proves that the provider sent it.

        What is genuine and cannot be read is one unreadable notice: it is kept for people to look at, and the provider need not repeat it.

        Raises:
            NotGenuine: None does.
        """
        check = self.verify if not by_token or self.verify_token is None else self.verify_token
        if not any(_passes(check, delivery, secret) for secret in secrets):
            raise NotGenuine(self.provider)
        try:
            return Opened(self.notices(delivery), self.answer(delivery))
        except Exception as nonsense:  # noqa: BLE001 - whatever a body does to us, it is kept and the door stays open
            log.warning("a genuine delivery of %s cannot be read (%s)", self.provider, type(nonsense).__name__)
            return Opened([unreadable(self.provider, delivery.body)])


def _passes(check: Verify, delivery: Delivery, secret: str) -> bool:
    """Tell whether the check passes. An empty secret proves nothing, and an error of whatever kind is a no."""
    try:
        check(delivery, secret)
    except Exception:  # noqa: BLE001 - verifiers raise TypeError, UnicodeDecodeError, … on hostile input (providers' SDKs among them)
        return False
    return bool(secret)


OPENERS = {
    opener.provider: opener
    for opener in (
        Opener("stripe", stripe_webhooks.verify, stripe_webhooks.notices),
        Opener("sendgrid", sendgrid_webhooks.verify, sendgrid_webhooks.notices),
        Opener("shippo", shippo_webhooks.verify, shippo_webhooks.notices, verify_token=shippo_webhooks.verify_token),
        Opener("slack", slack_webhooks.verify, slack_webhooks.notices, answer=slack_webhooks.answer),
        Opener("twilio", twilio_webhooks.verify, twilio_webhooks.notices),
        Opener("github", github_webhooks.verify, github_webhooks.notices),
        Opener("custom", custom_webhooks.verify, custom_webhooks.notices),
    )
}
