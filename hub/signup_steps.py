"""The steps of a sign-up: who does them, when they may be done, and what their outcomes mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hub.errors import Refused
from hub.facets import HoldFacet
from hub.facts import Fact, NotificationAccepted, NotificationRefused, ProfileCreated, ProfileRefused, ProfileRemoved
from hub.messages import PostedMessage, SentMail, SentText
from hub.payment_meanings import expiry_means, payment_means, payment_refused, refund_means
from hub.payments import CancelRequest, Payment, Refund, RefundRequest
from hub.policies import EXTERNAL, NOTIFICATION, PAYMENT
from hub.profiles import Profile, RemovedProfile
from hub.signup_facets import SignupFacets, StepOutcome
from hub.steps import DAY, HOUR, EffectState, Outcome, Step


def _profile_means(_attempt: int, profile: Profile) -> Outcome:
    return Outcome(EffectState.DONE, profile.profile_id, ProfileCreated(profile_id=profile.profile_id))


def _profile_refused(_attempt: int, refusal: Refused) -> Fact:
    return ProfileRefused(code=refusal.code)


def _removal_means(_attempt: int, removed: RemovedProfile) -> Outcome:
    return Outcome(EffectState.DONE, removed.profile_id, ProfileRemoved(profile_id=removed.profile_id))


def _message_means(_attempt: int, message: PostedMessage) -> Outcome:
    return Outcome(EffectState.DONE, message.timestamp)


def _may_begin(facets: SignupFacets) -> bool:
    return facets.hold is HoldFacet.NONE


def _is_known(facets: SignupFacets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.profile is StepOutcome.OK


def _has_paid(facets: SignupFacets) -> bool:
    return _is_known(facets) and facets.payment is StepOutcome.OK


def _is_being_undone(facets: SignupFacets) -> bool:
    return facets.hold is HoldFacet.UNDOING


def _always(_facets: SignupFacets) -> bool:
    return True


def _mail(name: str, notification: Literal["welcome", "confirmation"], permits: Callable[[SignupFacets], bool]) -> Step:
    def means(_attempt: int, mail: SentMail) -> Outcome:
        return Outcome(EffectState.DONE, mail.message_id, NotificationAccepted(notification=notification, message_id=mail.message_id))

    def refused(_attempt: int, refusal: Refused) -> Fact:
        return NotificationRefused(notification=notification, code=refusal.code)

    return Step(name, "sendgrid", "mail the new user", NOTIFICATION, SentMail, permits, means, refused, useful_seconds=DAY)


def _text_means(_attempt: int, text: SentText) -> Outcome:
    return Outcome(EffectState.DONE, text.sid, NotificationAccepted(notification="verification", message_id=text.sid))


def _text_refused(_attempt: int, refusal: Refused) -> Fact:
    return NotificationRefused(notification="verification", code=refusal.code)


SIGNUP_STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("profile", "profiles", "create the profile", EXTERNAL, Profile, _may_begin, _profile_means, _profile_refused),
        Step("payment", "stripe", "take the payment", PAYMENT, Payment, _is_known, payment_means, payment_refused, polled=True),
        _mail("welcome-mail", "welcome", _is_known),
        _mail("payment-mail", "confirmation", _has_paid),
        Step(
            "verification-text",
            "twilio",
            "text the new user",
            NOTIFICATION,
            SentText,
            _is_known,
            _text_means,
            _text_refused,
            useful_seconds=2 * HOUR,
        ),
        Step("remove-profile", "profiles", "remove the profile", EXTERNAL, RemovedProfile, _is_being_undone, _removal_means, harmless=True),
        Step("refund", "stripe", "refund the payment", PAYMENT, Refund, _always, refund_means, polled=True, owed_request=RefundRequest),
        Step("expire-payment", "stripe", "cancel the payment", PAYMENT, Payment, _always, expiry_means, owed_request=CancelRequest),
        Step("attention", "slack", "tell the team", NOTIFICATION, PostedMessage, _always, _message_means, useful_seconds=DAY),
    )
}
