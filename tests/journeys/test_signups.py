"""What becomes of a sign-up, seen from outside: the tutorial's example and scenarios, duplicates, bad input, crashes."""

from __future__ import annotations

from collections import Counter

import pytest

from deployments.examples import EXAMPLE_SIGNUP
from tests.journeys.hub_under_test import Hub
from tests.journeys.signup_kit import place, seen, told, until_reported

pytestmark = pytest.mark.timeout(240)

EVERYTHING = Counter({"profiles.profile": 1, "stripe.charge": 1, "sendgrid.mail": 2, "twilio.text": 1})
WITHOUT_A_TEXT = EVERYTHING - Counter({"twilio.text": 1})


async def test_the_example_of_the_tutorial_is_complete_without_a_text(hub: Hub) -> None:
    run = await hub.run({"signup_id": "s-tutorial", "signup": EXAMPLE_SIGNUP}, deployment="register-user/hub")

    view = await until_reported(hub, "s-tutorial")
    assert run["state"]["name"] == "SignupComplete"
    assert (view["status"], view["errors"], view["profileCreated"], view["paymentProcessed"]) == ("COMPLETE", [], True, True)
    assert view["userId"].startswith("usr_")
    assert told(view) == {("welcome", "mail"), ("payment_confirmation", "mail")}
    assert await seen(hub, "s-tutorial") == WITHOUT_A_TEXT


async def test_with_texts_wanted_there_are_three_notifications_and_each_is_delivered(hub: Hub) -> None:
    answer = await place(hub, "s-three", preferences={"sms_notifications": True})

    view = await until_reported(hub, "s-three")
    assert answer.status_code == 201
    assert view["status"] == "COMPLETE"
    assert told(view) == {("welcome", "mail"), ("payment_confirmation", "mail"), ("verification", "sms")}
    assert await seen(hub, "s-three") == EVERYTHING
