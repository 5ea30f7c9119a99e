"""A bulletin's id means one text, and it is owed once to each of those who want it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from hub.bulletins import Bulletin, BulletinDiffers, came_of, keep_bulletin, newsletter_readers, owe
from hub.claims import leased
from hub.database import transaction
from hub.enrolling import enrol
from hub.facts import Fact, NotificationAccepted, NotificationRefused, PaymentSettled, ProfileCreated, Recorded, Unwanted
from hub.messages import Mail
from hub.owed import owed_effects
from hub.signup_views import view_signup
from hub.signups import SignupRequest
from hub.subject_rows import locked, record
from hub.tables import EffectRow
from tests.contract.ledger_kit import sql
from tests.unit.bad_signups import a_signup_with

pytestmark = pytest.mark.usefixtures("hub_database")
WELL = (
    ProfileCreated(profile_id="usr_1"),
    PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=2999, currency="usd"),
    *(NotificationAccepted(notification=greeting, message_id=f"m_{greeting}") for greeting in ("welcome", "confirmation")),
    Recorded(status="COMPLETE", epoch=1),
)
WITHOUT_A_MAIL = (*WELL[:2], NotificationRefused(notification="welcome", code="invalid_recipient"), *WELL[3:])


def a_bulletin(**changes: Any) -> Bulletin:
    return Bulletin(**{"id": f"b-{uuid4().hex[:8]}", "subject_line": "What is new", "text": "A lot.", **changes})


async def a_signup(*facts: Fact, **preferences: bool) -> str:
    """Place a sign-up to which this much has happened, and return its id."""
    signup_id = f"s-{uuid4().hex[:8]}"
    request = a_signup_with({"email": f"{signup_id}@example.com", "preferences": {"sms_notifications": False, **preferences}})
    await enrol(signup_id, SignupRequest.model_validate(request))
    async with transaction() as session:
        row, _ = await locked(session, signup_id, "signup")
        for fact in facts:
            await record(session, row, fact, source="run")
        row.resume_at = None
    return signup_id


async def test_its_readers_are_those_who_went_well_want_it_and_have_not_told_us_to_stop() -> None:
    wants = await a_signup(*WELL, newsletter=True)
    others = {
        "does not want it": await a_signup(*WELL, newsletter=False),
        "never said": await a_signup(*WELL),
        "did not go well": await a_signup(*WITHOUT_A_MAIL, newsletter=True),
        "is not there yet": await a_signup(newsletter=True),
        "reported spam": await a_signup(*WELL, Unwanted(channel="mail", reason="spam report"), newsletter=True),
    }
    wants_no_texts = await a_signup(*WELL, Unwanted(channel="sms", reason="unsubscribed"), newsletter=True)

    readers = await newsletter_readers()

    assert [reader for reader in readers if reader in {wants, wants_no_texts}] == [wants, wants_no_texts]
    assert not {why for why, signup_id in others.items() if signup_id in readers}


async def test_an_id_means_one_text() -> None:
    bulletin = a_bulletin()
    await keep_bulletin(bulletin)
    await keep_bulletin(bulletin)

    with pytest.raises(BulletinDiffers, match=r"differs in subject_line, text\. Choose another id"):
        await keep_bulletin(bulletin.model_copy(update={"text": "Nothing.", "subject_line": "Old"}))


async def test_it_is_owed_once_and_made_due_again_until_something_came_of_it() -> None:
    bulletin, reader = a_bulletin(), await a_signup(*WELL, newsletter=True)
    before = await view_signup(reader)

    assert (await owe(bulletin, reader), await owe(bulletin, reader)) == (True, True)

    async with leased(reader, "run-1", "signup") as lease:
        [owed] = await owed_effects(lease.subject)
    assert owed.key == f"signup:{reader}:bulletin.{bulletin.id}:1"
    assert isinstance(owed.request, Mail)
    assert (owed.request.subject, owed.request.to_email) == ("What is new", f"{reader}@example.com")
    now = await view_signup(reader)
    assert (now.status, now.errors, now.notifications_sent) == (before.status, before.errors, before.notifications_sent)

    await sql("UPDATE effects SET state = 'done' WHERE key = :key", key=owed.key)
    assert not await owe(bulletin, reader)
    assert (await came_of(bulletin, reader)).state == "done"


async def test_two_bulletins_are_two_mails() -> None:
    first, second, reader = a_bulletin(), a_bulletin(), await a_signup(*WELL, newsletter=True)

    await owe(first, reader)
    await owe(second, reader)

    async with transaction() as session:
        steps = list(await session.exec(select(EffectRow.step).where(col(EffectRow.subject_id) == reader)))
    assert set(steps) == {first.step, second.step}
