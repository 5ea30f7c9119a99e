"""One webhook on its way: what it carries, how often it was tried, and how each provider takes a failure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from sandbox.callback_signing import iso

State = Literal["withheld", "waiting", "delivered", "failed"]
_TOO_MANY, _REQUEST_TIMEOUT = 429, 408
_DAYS = (1, 2, 4, 8, 16, 32, 64)
_MOST_TWILIO_RETRIES = 5


@dataclass(frozen=True)
class Callback:
    """
    Something a provider tells.

    ``kind`` is the provider's own event type and ``identity`` its event id, or the token that is equal across retries. ``content`` is the
    event; ``form`` is Slack's interactivity; ``url`` wins over the usual address.
    """

    provider: str
    kind: str
    identity: str
    content: dict[str, Any]
    form: bool = False
    url: str | None = None


@dataclass
class Delivery:
    """
    One request and its repeats; ``numbers`` are those of the callbacks it carries, ``era`` changes when everything is forgotten.

    ``at`` is when the cause was committed, ``sent_at`` when it first went out; both unix seconds.
    """

    id: str
    callbacks: list[Callback]
    numbers: list[int]
    url: str
    era: int
    at: float = field(default_factory=time.time)
    sent_at: float | None = None
    state: State = "waiting"
    attempts: int = 0
    status: int | None = None
    trouble: str = ""
    no_repeat: bool = False
    error: str | None = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""

    @property
    def first(self) -> Callback:
        """The only callback, except for SendGrid's arrays."""
        return self.callbacks[0]

    def readable(self) -> dict[str, Any]:
        """Return it as the control API shows it; ``body`` and ``headers`` are those of the last attempt."""
        return {
            "id": self.id,
            "provider": self.first.provider,
            "kind": ",".join(callback.kind for callback in self.callbacks),
            "kinds": [callback.kind for callback in self.callbacks],
            "events": [callback.identity for callback in self.callbacks],
            "url": self.url,
            "at": iso(self.at),
            "sentAt": None if self.sent_at is None else iso(self.sent_at),
            "state": self.state,
            "attempts": self.attempts,
            "status": self.status,
            "error": self.error,
            "body": self.body,
            "headers": self.headers,
            "answer": self.answer,
        }


@dataclass(frozen=True)
class Manner:
    """
    How a provider delivers. ``pauses`` are the waits before each repeat, in units of the sandbox's own first wait: days become seconds.

    ``refusals`` says which statuses that are not 2xx are repeated: all, only 408, 429 and 5xx, or none. A dead line always is, as often as
    there are pauses.
    """

    pauses: tuple[float, ...]
    timeout_seconds: float
    refusals: Literal["all", "temporary", "none"] = "all"

    def repeats(self, status: int | None) -> bool:
        """Whether an attempt that ended with ``status``, None for a dead line, is repeated."""
        if status is None or self.refusals == "all":
            return True
        return self.refusals == "temporary" and (status in {_REQUEST_TIMEOUT, _TOO_MANY} or status // 100 == 5)  # noqa: PLR2004 - server errors


# Stripe and SendGrid go on for days, a Standard Webhooks sender should; Shippo tries three times, Slack at once, after 1 and after 5
# minutes; Twilio once more when the line was dead; GitHub never. Source: the providers' pages on retries.
_MANNERS = {
    "stripe": Manner(_DAYS, 10),
    "sendgrid": Manner(_DAYS, 10),
    "custom": Manner(_DAYS, 15),
    "shippo": Manner((8, 16), 3, "temporary"),
    "slack": Manner((0, 4, 20), 3),
    "twilio": Manner((1,), 15, "none"),
    "github": Manner((), 10, "none"),
}


def manner_of(delivery: Delivery) -> Manner:
    """Return how this delivery is repeated; interactivity never is, and Twilio obeys ``#rc=`` and ``#rp=`` of its URL."""
    manner = _MANNERS[delivery.first.provider]
    if delivery.first.form and delivery.first.provider == "slack":
        return Manner((), manner.timeout_seconds)
    if delivery.first.provider != "twilio" or not (wishes := parse_qs(urlsplit(delivery.url).fragment)):
        return manner
    # Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
    count = wishes.get("rc", ["1"])[0]
    retries = min(int(count), _MOST_TWILIO_RETRIES) if count.isdecimal() else 1
    policies = set(",".join(wishes.get("rp", ["ct"])).split(","))
    refusals: Literal["all", "temporary", "none"] = "all" if policies & {"all", "4xx"} else "temporary" if "5xx" in policies else "none"
    return Manner(_DAYS[:retries], manner.timeout_seconds, refusals)
