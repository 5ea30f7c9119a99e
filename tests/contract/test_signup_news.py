"""What providers tell about a sign-up later: how far its messages are, and money that comes when it is too late."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from hub.applying import Contradiction, apply
from hub.claims import leased
from hub.composing import compose
from hub.database import transaction
from hub.effects import LeaseLost
from hub.enrolling import enrol
from hub.facets import HoldFacet
from hub.facts import (
    Fact,
    MessageMoved,
    NotificationAccepted,
    PaymentFailed,
    PaymentSettled,
    ProfileCreated,
    ProfileRemoved,
    UndoBegun,
    UndoFinished,
)
from hub.intending import intend
from hub.message_facts import Delivery
from hub.messages import TeamMessage, TextRequest
from hub.notification_types import WELCOME
from hub.owed import owed_effects
from hub.readings import Address
from hub.signup_decisions import begin_removal
from hub.signup_tables import SignupRow
from hub.signup_views import SignupView, view_signup
from hub.signups import SignupRequest
from hub.subject_rows import hub_identity, locked, record, snapshot
from hub.tables import EffectRow
from tests.contract.ledger_kit import ends_with, sql
from tests.unit.bad_signups import a_signup_with

pytestmark = pytest.mark.usefixtures("hub_database")
PHONE = "+12025550123"
PAID = PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=2999, currency="usd")


async def a_signup(*facts: Fact, **changes: Any) -> str:
    """Place a sign-up to which this much has happened, and return its id."""
    signup_id = f"s-{uuid4().hex[:8]}"
    await enrol(signup_id, SignupRequest.model_validate(a_signup_with({"email": f"{signup_id}@example.com", **changes})))
    async with transaction() as session:
        row, _ = await locked(session, signup_id, "signup")
        for fact in facts:
            await record(session, row, fact, source="run")
        row.resume_at = None
    return signup_id


async def is_told(signup_id: str, step: str, fact: Fact) -> SignupView:
    """Apply what a provider says about the step's effect, and return the sign-up afterwards."""
    async with transaction() as session:
        row, _ = await locked(session, signup_id, "signup")
        hub_id = (await hub_identity(session)).hub_id
        about = Address(hub_id=hub_id, subject_kind="signup", subject_id=signup_id, step=step, attempt=1)
        await apply(session, row, await session.get(EffectRow, about.effect_key), about, [fact])
    return await view_signup(signup_id)


def mail(delivery: Delivery, **more: Any) -> MessageMoved:
    return MessageMoved(step="welcome-mail", attempt=1, channel="mail", delivery=delivery, message_id="m_1", **more)


GREETED = (ProfileCreated(profile_id="usr_1"), NotificationAccepted(notification="welcome", message_id="m_1"))


async def test_a_mail_is_accepted_then_delivered_and_late_news_changes_nothing() -> None:
    signup_id = await a_signup(*GREETED)

    delivered = await is_told(signup_id, "welcome-mail", mail(Delivery.DELIVERED))
    late = await is_told(signup_id, "welcome-mail", mail(Delivery.ACCEPTED))

    assert [(sent.status, sent.notification_id) for sent in delivered.notifications_sent] == [("DELIVERED", "m_1")]
    assert late.notifications_sent == delivered.notifications_sent
    assert late.resume_at is None, "news that leaves nothing to do starts no run"


async def test_a_mail_that_bounces_is_reported_with_the_providers_code() -> None:
    signup_id = await a_signup(*GREETED)

    view = await is_told(signup_id, "welcome-mail", mail(Delivery.FAILED, code="bounce.5.1.1"))

    assert [sent.status for sent in view.notifications_sent] == ["FAILED"]
    assert view.errors == ("Failed to send notifications: It did not arrive (bounce.5.1.1) (welcome mail)",)
    assert view.resume_at is not None, "the records have to say so, too"


@pytest.mark.parametrize(
    ("wishes", "phone", "instead"),
    [
        ({"sms_notifications": True}, PHONE, ["text.welcome-mail"]),
        ({}, PHONE, ["text.welcome-mail"]),
        ({"sms_notifications": False}, PHONE, ["untold.welcome-mail"]),
        ({"sms_notifications": True}, None, ["untold.welcome-mail"]),
    ],
)
async def test_a_mail_that_bounces_is_followed_by_one_text_where_that_is_wanted_and_else_told_to_the_team(
    wishes: dict[str, bool], phone: str | None, instead: list[str]
) -> None:
    signup_id = await a_signup(*GREETED, preferences=wishes, phoneNumber=phone)
    await greeted(signup_id)

    await is_told(signup_id, "welcome-mail", mail(Delivery.FAILED))
    await is_told(signup_id, "welcome-mail", mail(Delivery.FAILED, code="bounce.5.1.1"))

    async with leased(signup_id, "run-1", "signup") as lease:
        owed = await owed_effects(lease.subject)
    assert [one.step for one in owed] == instead
    [message] = [one.request for one in owed]
    assert isinstance(message, TextRequest | TeamMessage)
    assert ("Welcome" if isinstance(message, TextRequest) else "`welcome` reached nobody") in message.text


async def test_a_text_that_fails_as_its_mail_did_is_told_to_the_team_once() -> None:
    signup_id = await a_signup(*GREETED, phoneNumber=PHONE)
    await greeted(signup_id)
    await is_told(signup_id, "welcome-mail", mail(Delivery.FAILED))
    failed = MessageMoved(step="text.welcome-mail", attempt=1, channel="sms", delivery=Delivery.FAILED, message_id="SM1", code="30003")

    await is_told(signup_id, "text.welcome-mail", failed)
    await is_told(signup_id, "text.welcome-mail", failed.model_copy(update={"code": "30005"}))

    async with leased(signup_id, "run-1", "signup") as lease:
        assert [owed.step for owed in await owed_effects(lease.subject)] == ["untold.welcome-mail"]


async def greeted(signup_id: str) -> None:
    """The welcome mail as the ledger has it once it was sent."""
    async with transaction() as session:
        row, now = await locked(session, signup_id, "signup")
        signup = snapshot(row, (await hub_identity(session)).hub_id, "", due=True)
        await intend(session, signup.effect("welcome-mail", compose(WELCOME, signup)), now)


async def test_a_payment_of_which_the_provider_tells_first_makes_the_sign_up_due() -> None:
    view = await is_told(await a_signup(ProfileCreated(profile_id="usr_1")), "payment", PAID)

    assert (view.payment_processed, view.resume_at is not None) == (True, True)


async def test_money_for_a_sign_up_that_was_undone_goes_back_once() -> None:
    undone = (ProfileCreated(profile_id="usr_1"), UndoBegun(because="the payment failed"), ProfileRemoved(profile_id="usr_1"))
    signup_id = await a_signup(*undone, UndoFinished())

    await is_told(signup_id, "payment", PAID)
    view = await is_told(signup_id, "payment", PAID)

    async with transaction() as session:
        refunds = list(await session.exec(select(EffectRow).where(col(EffectRow.subject_id) == signup_id, col(EffectRow.step) == "refund")))
    assert [(one.request["payment_id"], one.request["amount"], one.state) for one in refunds] == [("pi_1", 2999, "intended")]
    assert view.resume_at is not None
    async with leased(signup_id, "run-1", "signup") as lease:
        assert lease.subject.facets.hold is HoldFacet.UNDONE
        assert [owed.key for owed in await owed_effects(lease.subject)] == [f"signup:{signup_id}:refund:1"]


async def test_money_that_comes_after_a_refusal_is_taken_where_the_profile_stands() -> None:
    refused = PaymentFailed(attempt=1, payment_id="pi_1", code="authentication_required")

    view = await is_told(await a_signup(ProfileCreated(profile_id="usr_1"), refused), "payment", PAID)

    assert (view.payment_processed, view.errors, view.resume_at is not None) == (True, (), True)


async def test_a_payment_that_is_made_while_the_profile_is_about_to_be_removed_keeps_it() -> None:
    refused = PaymentFailed(attempt=1, payment_id="pi_1", code="authentication_required")
    signup_id = await a_signup(ProfileCreated(profile_id="usr_1"), refused)
    await sql("UPDATE signups SET resume_at = clock_timestamp() WHERE id = :id", id=signup_id)

    with ends_with(LeaseLost, match="made after all"):
        async with leased(signup_id, "run-1", "signup") as lease:
            await is_told(signup_id, "payment", PAID)
            await begin_removal(lease.subject, "the payment failed")

    view = await view_signup(signup_id)
    assert (view.profile_created, view.payment_processed, view.resume_at is not None) == (True, True, True)


async def test_an_amount_that_nobody_asked_for_calls_a_person() -> None:
    signup_id = await a_signup(ProfileCreated(profile_id="usr_1"))

    async with transaction() as session:
        row, _ = await locked(session, signup_id, "signup")
        about = Address(hub_id=None, subject_kind="signup", subject_id=signup_id, step="payment", attempt=1)
        with pytest.raises(Contradiction):
            await apply(session, row, None, about, [PAID.model_copy(update={"amount": 1})])

    async with transaction() as session:
        kept = await session.get_one(SignupRow, signup_id)
    assert kept.attention is not None
    assert kept.payment == "open"
