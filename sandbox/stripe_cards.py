"""
Stripe's test payment methods and how each of them behaves.

Source: https://docs.stripe.com/testing
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Settling(Enum):
    """How a payment ends that does not end at once."""

    AT_ONCE = "at once"
    SUCCEEDS_LATER = "succeeds later"
    FAILS_LATER = "fails later"
    NEVER = "never"


class Authentication(Enum):
    """Whether the customer has to prove who it is."""

    NONE = "none"
    ALWAYS = "always"
    ON_SESSION = "on session"


class Refunding(Enum):
    """How a refund of the payment goes."""

    SUCCEEDS = "succeeds"
    PENDING_THEN_SUCCEEDS = "pending, then succeeds"
    SUCCEEDS_THEN_FAILS = "succeeds, then fails"


@dataclass(frozen=True)
class Decline:
    """Why a card is declined, in Stripe's words."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Method:
    """A test payment method: card brand or bank debit, and its behaviour; ``disputed`` by its holder some time after the payment."""

    brand: str = "visa"
    kind: str = "card"
    decline: Decline | None = None
    authentication: Authentication = Authentication.NONE
    settling: Settling = Settling.AT_ONCE
    refunding: Refunding = Refunding.SUCCEEDS
    disputed: bool = False


AUTHENTICATION_REQUIRED = Decline(
    "authentication_required", "authentication_required", "Your card was declined. This transaction requires authentication."
)
AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)
BANK_REFUSED = Decline("payment_intent_payment_attempt_failed", "insufficient_funds", "The customer's account has insufficient funds.")
_INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")

_DECLINES = {
    "chargeDeclined": _GENERIC,
    "chargeCustomerFail": _GENERIC,
    "chargeDeclinedInsufficientFunds": _INSUFFICIENT,
    "chargeDeclinedLostCard": Decline("card_declined", "lost_card", "Your card was declined."),
    "chargeDeclinedStolenCard": Decline("card_declined", "stolen_card", "Your card was declined."),
    "chargeDeclinedExpiredCard": Decline("expired_card", "expired_card", "Your card has expired."),
    "chargeDeclinedIncorrectCvc": Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
    "chargeDeclinedProcessingError": Decline(
        "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."
    ),
    "chargeDeclinedFraudulent": Decline("card_declined", "fraudulent", "Your card was declined."),
    "chargeDeclinedVelocityLimitExceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "radarBlock": Decline("card_declined", "fraudulent", "Your card was declined."),
}

_SPECIAL = {
    "authenticationRequired": Method(authentication=Authentication.ALWAYS),
    "authenticationRequiredOnSetup": Method(authentication=Authentication.ALWAYS),
    "authenticationRequiredSetupForOffSession": Method(authentication=Authentication.ON_SESSION),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Method(authentication=Authentication.ALWAYS, decline=_INSUFFICIENT),
    "threeDSecure2Required": Method(authentication=Authentication.ALWAYS),
    "threeDSecureRequired": Method(authentication=Authentication.ALWAYS),
    "threeDSecureRequiredChargeDeclined": Method(authentication=Authentication.ALWAYS, decline=_GENERIC),
    "threeDSecureOptional": Method(),
    "pendingRefund": Method(refunding=Refunding.PENDING_THEN_SUCCEEDS),
    "refundFail": Method(refunding=Refunding.SUCCEEDS_THEN_FAILS),
    "createDispute": Method(disputed=True),
    "createDisputeProductNotReceived": Method(disputed=True),
}

# Cards that simply work as far as the API's answer goes; inquiries and fraud warnings do not come afterwards.
_ORDINARY = {
    **dict.fromkeys(("visa", "visa_debit", "debit_visa", "bypassPending", "us"), "visa"),
    **dict.fromkeys(
        (
            "createDisputeInquiry",
            "createIssuerFraudRecord",
            "createMultipleDisputes",
            "riskLevelElevated",
            "cvcCheckFail",
            "avsFail",
            "avsZipFail",
            "avsLine1Fail",
        ),
        "visa",
    ),
    **dict.fromkeys(("avsUnchecked", "visa_cvcCheckFail", "threeDSecureNotSupported"), "visa"),
    **dict.fromkeys(("mastercard", "mastercard_debit", "mastercard_prepaid", "debit_mastercard"), "mastercard"),
    **{brand: brand for brand in ("amex", "discover", "diners", "jcb", "unionpay")},
}

_BANK = {
    "pm_usBankAccount": Method("", "us_bank_account", settling=Settling.SUCCEEDS_LATER),
    "pm_usBankAccount_success": Method("", "us_bank_account", settling=Settling.SUCCEEDS_LATER),
    "pm_usBankAccount_insufficientFunds": Method("", "us_bank_account", settling=Settling.FAILS_LATER),
    "pm_usBankAccount_processing": Method("", "us_bank_account", settling=Settling.NEVER),
}


def method_called(name: str) -> Method | None:
    """Return the test payment method of that name, or None when Stripe has none; countries (``pm_card_de``) are ordinary Visa cards."""
    if name in _BANK:
        return _BANK[name]
    if not name.startswith("pm_card_"):
        return None
    short = name.removeprefix("pm_card_")
    if short in _ORDINARY:
        return Method(_ORDINARY[short])
    if found := _SPECIAL.get(short):
        return found
    if decline := _DECLINES.get(short.removeprefix("visa_")):
        return Method(decline=decline)
    return Method() if re.fullmatch(r"[a-z]{2}", short) else None
