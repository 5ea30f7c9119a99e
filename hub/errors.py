"""
How a call to a provider can end badly, in our words instead of five SDKs' words.

ProviderError
|- NotSent            nothing happened            ask again
|  `- RateLimited     nothing happened            ask again after `retry_after_seconds`
|- OutcomeUnknown     it may have happened        find out first (ledger)
|  `- NobodyKnows     it may have happened        wait for the provider's event, or ask a person
|- Misconfigured      nothing happened, ever      park, tell the operator: keys, permissions, requests the provider does not know
`- Refused            the business answer is no   stop, undo, tell the business (a listed code, nothing else)
"""

from __future__ import annotations


class ProviderError(Exception):
    """
    A provider did not do what we asked.

    ``action`` finishes the words "could not ..."; ``reason`` is our vocabulary plus the provider's code and request id, never the
    provider's text, which may hold numbers and addresses and goes redacted into the attempt row (``hub.exchange``).
    """

    def __init__(self, provider: str, action: str, reason: str) -> None:
        super().__init__(provider, action, reason)  # every argument, so it pickles
        self.provider, self.action, self.reason = provider, action, reason

    def __str__(self) -> str:
        return f"{self.provider} could not {self.action}: {self.reason}"


class NotSent(ProviderError):
    """Nothing happened: the request never left, or the provider said so. May be asked again."""


class LeftTooLate(NotSent):
    """The moment up to which the request might be sent was over before it left; that is our own doing."""


class RateLimited(NotSent):
    """Asked too often; nothing happened. ``retry_after_seconds`` is the provider's wish, or None when it named none."""

    def __init__(self, provider: str, action: str, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(provider, action, reason)
        self.args = (provider, action, reason, retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(ProviderError):
    """
    It may have happened; the ledger finds out before anybody asks again.

    ``same_key_is_useless`` is True when repeating under the same idempotency key can only bring the same non-answer: the provider
    replayed a stored server error, or says that the key belongs to other parameters.
    """

    def __init__(self, provider: str, action: str, reason: str, same_key_is_useless: bool = False) -> None:
        super().__init__(provider, action, reason)
        self.args = (provider, action, reason, same_key_is_useless)
        self.same_key_is_useless = same_key_is_useless


class NobodyKnows(OutcomeUnknown):
    """It may have happened, and the provider cannot be asked: asking again is no use, only a later fact or a person decides."""


class Misconfigured(ProviderError):
    """Nothing happened and nothing will until an operator mends a key, a permission, or the request itself."""


class Refused(ProviderError):
    """
    The business answer is no: declined, invalid address, opted out.

    ``code`` is the provider's listed code; ``reference`` the provider's object that exists although the answer was no (the PaymentIntent
    of a declined card), or None.
    """

    def __init__(self, provider: str, action: str, reason: str, code: str, reference: str | None = None) -> None:
        super().__init__(provider, action, reason)
        self.args = (provider, action, reason, code, reference)
        self.code, self.reference = code, reference


_OUTCOMES = {
    Refused: "refused",
    Misconfigured: "misconfigured",
    RateLimited: "rate_limited",
    NotSent: "not_sent",
    OutcomeUnknown: "unknown",
}


def outcome_of(error: ProviderError) -> str:
    """Return the outcome of a call that ended so, as the ledger calls it: refused, misconfigured, rate_limited, not_sent or unknown."""
    return next(outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind))
