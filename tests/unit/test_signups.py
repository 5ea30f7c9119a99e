"""What a sign-up may look like, and the report: a pure function, asked about every combination of outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from deployments.examples import EXAMPLE_SIGNUP
from hub.signup_facets import NOTIFICATIONS, Critical, SignupFacets, SignupStatus, StepOutcome, report
from hub.signups import SignupRequest
from tests.unit.bad_signups import BAD_SIGNUPS, a_signup_with

OK, REFUSED, UNAVAILABLE, UNKNOWN, NOT_ASKED = (
    StepOutcome.OK,
    StepOutcome.REFUSED,
    StepOutcome.UNAVAILABLE,
    StepOutcome.UNKNOWN,
    StepOutcome.NOT_ASKED,
)
ASKED = (OK, REFUSED, UNAVAILABLE, UNKNOWN)
EVERYWHERE = (*ASKED, NOT_ASKED)


def test_the_sign_up_of_the_tutorial_is_taken_as_written() -> None:
    signup = SignupRequest.model_validate(EXAMPLE_SIGNUP)

    assert signup.initial_payment is not None
    assert str(signup.initial_payment.money) == "29.99 USD"
    assert (signup.preferences.newsletter, signup.preferences.sms_notifications) == (True, False)


@pytest.mark.parametrize(("changes", "field", "secret"), BAD_SIGNUPS)
def test_a_bad_sign_up_is_refused_by_the_name_of_its_field(changes: dict[str, Any], field: str, secret: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        SignupRequest.model_validate(a_signup_with(changes))

    faults = {".".join(map(str, fault["loc"])) for fault in refusal.value.errors(include_input=False)}
    assert faults == {field}
    assert not secret or secret not in str(refusal.value)


@pytest.mark.parametrize("amount", [29.9, "29.9", "29.90"])
def test_an_amount_is_the_same_however_it_is_written(amount: Any) -> None:
    signup = SignupRequest.model_validate(a_signup_with({"initialPayment.amount": amount}))

    assert signup.as_stored()["initialPayment"]["amount"] == "29.90"
    assert SignupRequest.model_validate(signup.as_stored()) == signup


def test_a_mail_address_is_the_same_in_other_letter_case() -> None:
    written = SignupRequest.model_validate(a_signup_with({"email": " Test.User@Example.COM "}))

    assert written.email == SignupRequest.model_validate(EXAMPLE_SIGNUP).email


def combinations() -> Iterator[SignupFacets]:
    """Every combination of six steps and what can come of them; without a profile, nothing after it was begun."""
    for profile, payment, welcome, confirmation, verification, records in product(
        ASKED, EVERYWHERE, EVERYWHERE, EVERYWHERE, EVERYWHERE, ASKED
    ):
        yield SignupFacets(
            profile=profile, payment=payment, welcome=welcome, confirmation=confirmation, verification=verification, records=records
        )


@pytest.mark.parametrize("critical", [("profile",), ("profile", "payment")], ids=["lenient", "strict"])
def test_the_report_of_every_combination_is_true(critical: tuple[Critical, ...]) -> None:
    seen = set()
    for facets in combinations():
        said = report(facets, critical)
        outcomes = {step: facets.of(step) for step in ("profile", "payment", *NOTIFICATIONS, "records")}
        missing = {step for step, outcome in outcomes.items() if outcome not in (OK, NOT_ASKED)}
        expected = SignupStatus.COMPLETE
        if missing:
            expected = SignupStatus.FAILED if missing & set(critical) else SignupStatus.PARTIAL
        assert said.status is expected, facets
        assert said.profile_created is (facets.profile is OK)
        assert said.payment_processed is (facets.payment is OK)
        assert len(said.errors) == len(missing) == len(set(said.errors)), facets
        assert bool(said.errors) is (said.status is not SignupStatus.COMPLETE)
        seen.add(said.status)
    assert seen == {SignupStatus.COMPLETE, SignupStatus.PARTIAL, SignupStatus.FAILED}


WORDS = [
    ("profile", UNAVAILABLE, "a_code", "Failed to create profile: Profile service unavailable"),
    ("profile", REFUSED, "a_code", "Failed to create profile: Profile service refused it (a_code)"),
    ("payment", UNKNOWN, "a_code", "Failed to process payment: Payment gateway timeout"),
    ("payment", UNKNOWN, "http_504", "Failed to process payment: Payment gateway timeout"),
    ("verification", UNKNOWN, "http_503", "Failed to send notifications: SMS service unavailable"),
    ("payment", UNAVAILABLE, "a_code", "Failed to process payment: Payment gateway unavailable"),
    ("payment", StepOutcome.NOT_MADE, "a_code", "Failed to process payment: Payment gateway timeout; it was not made"),
    ("welcome", UNAVAILABLE, "a_code", "Failed to send notifications: Mail service unavailable (welcome mail)"),
    ("confirmation", UNAVAILABLE, "a_code", "Failed to send notifications: Mail service unavailable (payment confirmation)"),
    ("verification", UNAVAILABLE, "a_code", "Failed to send notifications: SMS service unavailable"),
    ("verification", StepOutcome.UNDELIVERED, "a_code", "Failed to send notifications: It did not arrive (a_code)"),
    ("records", UNAVAILABLE, "a_code", "Failed to record the registration: Database unavailable"),
]


@pytest.mark.parametrize(("step", "outcome", "code", "words"), WORDS)
def test_an_error_says_what_failed_and_which_service_it_was(step: str, outcome: StepOutcome, code: str, words: str) -> None:
    facets = SignupFacets(profile=OK, payment=OK, welcome=OK, confirmation=OK, verification=OK, records=OK)

    said = report(facets.model_copy(update={step: outcome, "codes": {step: code}}))

    assert said.errors == (words,)


def test_a_sign_up_is_in_progress_until_somebody_tried_to_record_it() -> None:
    assert report(SignupFacets(profile=OK)).status is SignupStatus.IN_PROGRESS


def test_a_payment_that_waits_for_the_customer_fails_nothing() -> None:
    facets = SignupFacets(profile=OK, payment=StepOutcome.WAITS, welcome=OK, confirmation=StepOutcome.OPEN, verification=OK, records=OK)

    assert report(facets, ("profile", "payment")).status is SignupStatus.PARTIAL
