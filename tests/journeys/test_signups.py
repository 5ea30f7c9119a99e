"""What becomes of a sign-up, seen from outside: the tutorial's example and scenarios, duplicates, bad input, crashes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from deployments.examples import EXAMPLE_SIGNUP
from tests.journeys.hub_under_test import Hub
from tests.journeys.signup_kit import EVERYTHING, PHONE, a_signup, place, seen, signup, signup_at_rest, told, until_reported, until_signup

pytestmark = pytest.mark.timeout(300)

THREE_D_SECURE = {"amount": 29.99, "paymentMethod": "pm_card_threeDSecure2Required"}
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
    answer = await place(hub, "s-three", phoneNumber=PHONE, preferences={"sms_notifications": True})

    view = await until_reported(hub, "s-three")
    assert answer.status_code == 201
    assert view["status"] == "COMPLETE"
    assert told(view) == {("welcome", "mail"), ("payment_confirmation", "mail"), ("verification", "sms")}
    assert await seen(hub, "s-three") == EVERYTHING

    delivered = await until_signup(hub, "s-three", lambda view: {sent["status"] for sent in view["notificationsSent"]} == {"DELIVERED"})
    assert delivered["status"] == "COMPLETE"


async def test_a_partial_failure_is_reported_in_words(hub: Hub) -> None:
    """The tutorial's second scenario: the payment gateway does not answer in time, and there is no SMS service."""
    mine = {"subject": "s-partial"}
    await hub.sandbox.fault("stripe", "create payment", "drop", times=2, match=mine)
    await hub.sandbox.fault("twilio", "send text", "status", times=None, status=503, match=mine)
    await place(hub, "s-partial", phoneNumber=PHONE, preferences={"sms_notifications": True})

    view = await until_reported(hub, "s-partial")

    assert (view["status"], view["profileCreated"], view["paymentProcessed"]) == ("PARTIAL", True, False)
    assert view["errors"] == [
        "Failed to process payment: Payment gateway timeout",
        "Failed to send notifications: SMS service unavailable",
    ]
    assert told(view) == {("welcome", "mail")}
    known = await until_signup(hub, "s-partial", lambda view: "it was not made" in view["errors"][0])
    assert known["status"] == "PARTIAL"
    assert (await seen(hub, "s-partial"))["stripe.charge"] == 0, "what was reported as failed is not charged later behind anybody's back"


async def test_a_welcome_that_bounces_is_followed_by_a_text_where_texts_are_wanted(hub: Hub) -> None:
    await place(hub, "s-bounced", email="bounce+wanted@example.com", phoneNumber=PHONE, preferences={"sms_notifications": True})
    await place(hub, "s-bounced-quiet", email="bounce+quiet@example.com", phoneNumber=PHONE, preferences={"sms_notifications": False})

    view = await until_signup(hub, "s-bounced", lambda view: view["status"] == "PARTIAL" and view["resumeAt"] is None)
    quiet = await until_signup(hub, "s-bounced-quiet", lambda view: view["status"] == "PARTIAL" and view["resumeAt"] is None)

    assert {(sent["type"], sent["status"]) for sent in view["notificationsSent"]} >= {("welcome", "FAILED")}
    assert len(quiet["errors"]) == 2
    assert (await seen(hub, "s-bounced"))["twilio.text"] == 3, "the verification, and one for each mail that did not arrive"
    assert (await seen(hub, "s-bounced-quiet"))["twilio.text"] == 0


async def test_a_payment_that_was_made_after_all_is_found_confirmed_and_reported(hub: Hub) -> None:
    """The answers to the charge are lost on the way; the report says so, and then what is true."""
    await hub.sandbox.fault("stripe", "create payment", "drop", "after", times=2, match={"subject": "s-found"})
    await hub.sandbox.webhooks_misbehave("stripe", drop=1.0)
    try:
        await place(hub, "s-found")
        doubtful = await until_reported(hub, "s-found")
        found = await until_reported(hub, "s-found", "COMPLETE")
    finally:
        await hub.sandbox.forget_webhooks()

    assert (doubtful["status"], doubtful["errors"]) == ("PARTIAL", ["Failed to process payment: Payment gateway timeout"])
    assert found["errors"] == []
    assert told(found) == {("welcome", "mail"), ("payment_confirmation", "mail")}
    assert await seen(hub, "s-found") == WITHOUT_A_TEXT


async def test_the_same_mail_address_twice_at_once_is_one_profile_one_charge_one_greeting(hub: Hub) -> None:
    spelled = a_signup("s-twice")["email"]
    await asyncio.gather(*(place(hub, f"s-twice-{n}", email=email) for n, email in enumerate([spelled, spelled.upper(), spelled.title()])))
    answer = await place(hub, "s-twice-9", email=spelled)
    owner = answer.json()["signupId"]

    await until_reported(hub, owner, "COMPLETE")
    other = await place(hub, "s-twice-9", email=spelled, fullName="Somebody Else")
    everywhere = sum([await seen(hub, f"s-twice-{n}") for n in (0, 1, 2, 9)], Counter())
    assert (answer.status_code, other.status_code, other.json()["differs"]) == (200, 409, ["fullName"])
    assert everywhere == WITHOUT_A_TEXT


async def test_a_strict_sign_up_whose_payment_is_declined_leaves_no_profile_behind(hub: Hub) -> None:
    declined = {"amount": 29.99, "paymentMethod": "pm_card_chargeDeclined"}
    run = await hub.run(
        {"signup_id": "s-strict", "signup": a_signup("s-strict", initialPayment=declined), "critical": ["profile", "payment"]},
        deployment="register-user/hub",
    )

    view = await signup(hub, "s-strict")
    assert run["state"]["name"] == "SignupFailed"
    assert (view["status"], view["profileCreated"], view["userId"], view["notificationsSent"]) == ("FAILED", False, None, [])
    assert "Failed to process payment: Payment gateway refused it (generic_decline)" in view["errors"]
    counted = await seen(hub, "s-strict")
    assert (counted["profiles.profile"], counted["profiles.removal"], counted["sendgrid.mail"]) == (1, 1, 0)


async def test_a_strict_sign_up_waits_for_the_customer_and_leaves_no_profile_when_nothing_comes_of_it(hub: Hub) -> None:
    await place(hub, "s-3ds", strict=True, initialPayment=THREE_D_SECURE)
    asked = await until_reported(hub, "s-3ds")
    assert (asked["status"], asked["nextAction"] is None, asked["notificationsSent"]) == ("PARTIAL", False, [])

    async with hub.database() as database:
        await hub.sandbox.customer_fails(await database.fetchval("SELECT payment_id FROM signups WHERE id = 's-3ds'"))

    failed = await signup_at_rest(hub, "s-3ds", "FAILED")
    assert (failed["profileCreated"], failed["nextAction"], failed["notificationsSent"]) == (False, None, [])
    assert (await seen(hub, "s-3ds"))["profiles.removal"] == 1


def only_the_payment_is_open(view: dict[str, Any]) -> bool:
    """No run is due, and what was sent has arrived: no more news comes."""
    return view["nextAction"] and view["resumeAt"] is None and all(sent["status"] == "DELIVERED" for sent in view["notificationsSent"])


async def test_a_first_payment_that_nobody_finishes_is_called_off_and_one_that_was_finished_counts(hub: Hub) -> None:
    """Stripe's webhooks are lost meanwhile: what became of the payment is known only when it is called off."""
    await hub.sandbox.webhooks_misbehave("stripe", drop=1.0)
    try:
        for signup_id in (names := ["s-forgotten", "s-forgotten-strict", "s-finished"]):
            await place(hub, signup_id, strict=signup_id == "s-forgotten-strict", initialPayment=THREE_D_SECURE)
            await until_signup(hub, signup_id, only_the_payment_is_open)
        async with hub.database() as database:
            await hub.sandbox.customer_approves(await database.fetchval("SELECT payment_id FROM signups WHERE id = 's-finished'"))
            await database.execute("UPDATE facts SET at = at - interval '25 hours' WHERE subject_id = any($1)", names)
        await hub.run({}, deployment="sweep/hub")

        finished = await signup_at_rest(hub, "s-finished", "COMPLETE")
        undone = await signup_at_rest(hub, "s-forgotten-strict", "FAILED")
        forgotten = await until_signup(hub, "s-forgotten", lambda view: view["nextAction"] is None and view["resumeAt"] is None)
    finally:
        await hub.sandbox.forget_webhooks()

    called_off = "Failed to process payment: It was called off before it was finished"
    assert (forgotten["status"], forgotten["errors"], forgotten["profileCreated"]) == ("PARTIAL", [called_off], True)
    assert (undone["errors"][1:], undone["profileCreated"]) == ([called_off], False)
    assert (finished["errors"], told(finished)) == ([], {("welcome", "mail"), ("payment_confirmation", "mail")})
    assert (await seen(hub, "s-finished")) == WITHOUT_A_TEXT
    assert [(await seen(hub, signup_id))["stripe.charge"] for signup_id in ("s-forgotten", "s-forgotten-strict")] == [0, 0]


async def test_a_sign_up_survives_kill_9_between_its_steps(hub: Hub) -> None:
    """One dies while its profile is being made, one while its charge is at the provider, one before it is greeted."""
    ids = ["s-kill-profile", "s-kill-charge", "s-kill-mail"]
    calls = [("profiles", "create profile"), ("stripe", "create payment"), ("sendgrid", "send mail")]
    for signup_id, (provider, operation) in zip(ids, calls, strict=True):
        when = "before" if provider == "sendgrid" else "after"
        await hub.sandbox.fault(provider, operation, "delay", when, seconds=20, match={"subject": signup_id})
        await place(hub, signup_id)
    for provider, operation in calls:
        await hub.sandbox.until_in_flight(provider, operation, seconds=60)

    await hub.kill_workers()

    reports = await asyncio.gather(*(until_reported(hub, signup_id, seconds=120) for signup_id in ids))
    assert [(view["profileCreated"], view["paymentProcessed"]) for view in reports] == [(True, True)] * len(ids)
    for signup_id in ids:
        counted = await seen(hub, signup_id)
        assert (counted["profiles.profile"], counted["stripe.charge"]) == (1, 1)
        assert counted["sendgrid.mail"] <= WITHOUT_A_TEXT["sendgrid.mail"]


async def test_every_operation_has_an_entry_in_the_log_with_what_can_be_looked_up(hub: Hub) -> None:
    await place(hub, "s-log", phoneNumber=PHONE, preferences={"sms_notifications": True})
    view = await until_reported(hub, "s-log", "COMPLETE")

    async with hub.database() as database:
        entries = await database.fetch("SELECT operation, outcome, details::text FROM activities WHERE signup_id = 's-log'")
        registration = await database.fetchrow("SELECT * FROM registrations WHERE signup_id = 's-log'")
    assert {entry["operation"] for entry in entries} == {"profile", "payment", "welcome-mail", "payment-mail", "verification-text"}
    assert {entry["outcome"] for entry in entries} == {"ok"}
    assert all(view["correlationId"] in entry["details"] and '"reference"' in entry["details"] for entry in entries)
    assert (registration["status"], registration["user_id"], registration["amount"]) == ("COMPLETE", view["userId"], 2999)
