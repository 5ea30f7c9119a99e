"""The steps of a sign-up: who does them, when they may be done, and what their outcomes mean."""

from __future__ import annotations

from hub.errors import Refused
from hub.facets import HoldFacet
from hub.facts import Fact, ProfileCreated, ProfileRefused, ProfileRemoved
from hub.messages import Mail, TeamMessage, TextRequest
from hub.notification_steps import calls_for_a_person, notification_step
from hub.notification_types import BULLETIN, PAYMENT_CONFIRMATION, VERIFICATION, WELCOME, WELCOME_TEXT, WELCOME_UNTOLD
from hub.payment_meanings import expiry_means, payment_means, payment_refused, refund_step
from hub.payments import CancelRequest, Payment, RefundRequest
from hub.policies import EXTERNAL, PAYMENT
from hub.profiles import Profile, RemovedProfile
from hub.signup_facets import SignupFacets, StepOutcome
from hub.steps import EffectState, Outcome, Step


def _profile_means(_attempt: int, profile: Profile) -> Outcome:
    return Outcome(EffectState.DONE, profile.profile_id, ProfileCreated(profile_id=profile.profile_id))


def _profile_refused(_attempt: int, refusal: Refused) -> Fact:
    return ProfileRefused(code=refusal.code)


def _removal_means(_attempt: int, removed: RemovedProfile) -> Outcome:
    return Outcome(EffectState.DONE, removed.profile_id, ProfileRemoved(profile_id=removed.profile_id))


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


SIGNUP_STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("profile", "profiles", "create the profile", EXTERNAL, Profile, _may_begin, _profile_means, _profile_refused),
        Step("payment", "stripe", "take the payment", PAYMENT, Payment, _is_known, payment_means, payment_refused, polled=True),
        Step("remove-profile", "profiles", "remove the profile", EXTERNAL, RemovedProfile, _is_being_undone, _removal_means, harmless=True),
        refund_step("refund", permits=_always, polled=True, owed_request=RefundRequest),
        Step("expire-payment", "stripe", "cancel the payment", PAYMENT, Payment, _always, expiry_means, owed_request=CancelRequest),
        notification_step(WELCOME, "mail the new user", _is_known),
        notification_step(PAYMENT_CONFIRMATION, "mail the new user", _has_paid),
        notification_step(VERIFICATION, "text the new user", _is_known),
        notification_step(WELCOME_TEXT, "text the new user", _always, owed_request=TextRequest),  # and every other text instead of a mail
        notification_step(WELCOME_UNTOLD, "tell the team", _always, owed_request=TeamMessage),  # and every other that reached nobody
        notification_step(BULLETIN, "mail the reader", _always, owed_request=Mail),
        *calls_for_a_person(_always),
    )
}
