"""Sign-ups come in once per mail address, whatever door, id and letter case they come with."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from hub.database import transaction
from hub.enrolling import AliasInLiveMode, SignupDiffers, enrol
from hub.intake import REHEARSAL_CARD
from hub.signup_rows import NoSuchSignup
from hub.signup_tables import SignupRow
from hub.signup_views import view_signup
from hub.signups import SignupRequest
from tests.contract.ledger_kit import sql
from tests.unit.bad_signups import a_signup_with

pytestmark = pytest.mark.usefixtures("hub_database")


def a_signup(email: str, **changes: Any) -> SignupRequest:
    return SignupRequest.model_validate(
        a_signup_with({"email": email, **{name.replace("__", "."): value for name, value in changes.items()}})
    )


def somebody() -> str:
    return f"{uuid4().hex[:8]}@example.com"


async def row_of(signup_id: str) -> SignupRow:
    async with transaction() as session:
        return await session.get_one(SignupRow, signup_id)


async def test_the_same_sign_up_many_times_at_once_under_many_ids_and_in_any_letter_case_is_one() -> None:
    email = somebody()
    spellings = [email, email.upper(), email.title(), f" {email} "] * 3

    enrolled = await asyncio.gather(*(enrol(f"s-{n}-{email[:4]}", a_signup(spelling)) for n, spelling in enumerate(spellings)))

    assert sum(one.new for one in enrolled) == 1
    assert len({one.signup_id for one in enrolled}) == 1


async def test_other_content_under_a_known_mail_address_is_refused_and_says_where_it_differs() -> None:
    email = somebody()
    await enrol("s-content", a_signup(email))

    with pytest.raises(SignupDiffers) as refusal:
        await enrol("s-content-2", a_signup(email, fullName="Somebody Else", initialPayment__amount=30))

    assert refusal.value.paths == ["fullName", "initialPayment.amount"]
    assert email not in str(refusal.value)


async def test_an_id_that_belongs_to_another_mail_address_is_refused() -> None:
    await enrol("s-taken", a_signup(somebody()))

    with pytest.raises(SignupDiffers) as refusal:
        await enrol("s-taken", a_signup(somebody()))

    assert refusal.value.paths == ["email"]


async def test_an_id_and_a_mail_address_of_two_sign_ups_are_not_mixed() -> None:
    known = somebody()
    await enrol("s-one", a_signup(known))
    await enrol("s-two", a_signup(somebody()))

    with pytest.raises(SignupDiffers) as refusal:
        await enrol("s-two", a_signup(known))

    assert refusal.value.paths == ["id"]


async def test_what_is_critical_is_settled_with_the_first_sign_up() -> None:
    email = somebody()
    await enrol("s-strict", a_signup(email), critical=["payment"])

    assert not (await enrol("s-strict", a_signup(email))).new
    assert (await row_of("s-strict")).critical == ["profile", "payment"]
    with pytest.raises(SignupDiffers, match="critical"):
        await enrol("s-strict", a_signup(email), critical=["profile"])


async def test_the_rehearsals_card_stands_for_a_token_and_is_none_with_live_accounts() -> None:
    await enrol("s-card", a_signup(somebody()))
    assert (await row_of("s-card")).payment_method == REHEARSAL_CARD

    await sql("UPDATE hub_identity SET mode = 'live'")
    try:
        with pytest.raises(AliasInLiveMode):
            await enrol("s-live", a_signup(somebody()))
    finally:
        await sql("UPDATE hub_identity SET mode = 'rehearsal'")
    with pytest.raises(NoSuchSignup):
        await view_signup("s-live")


async def test_a_sign_up_that_failed_for_want_of_the_profile_service_begins_again_when_it_is_sent_again() -> None:
    email = somebody()
    await enrol("s-again", a_signup(email))
    await sql("UPDATE signups SET profile = 'unavailable', records = 'ok', status = 'FAILED', resume_at = NULL WHERE id = 's-again'")

    await enrol("s-again", a_signup(email))

    row = await row_of("s-again")
    assert (row.status, row.profile, row.resume_at is not None, row.epoch) == ("IN_PROGRESS", "open", True, 2)
