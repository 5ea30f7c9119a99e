"""Whatever somebody is to be told, and could not be told at once, is told as soon as that works, once, as long as it is useful."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlmodel import col, select

from hub.beginning import begin
from hub.begun import Ask
from hub.claims import current
from hub.database import transaction
from hub.effects import LeaseLost
from hub.enrolling import enrol
from hub.facets import Status
from hub.facts import PaymentSettled, ProfileCreated
from hub.intake import raise_attempt
from hub.notification_model import Channel
from hub.notification_types import TYPES
from hub.refunds import RefundTerms, ask_refund
from hub.signups import SignupRequest
from hub.subject_rows import locked, record
from hub.tables import AttemptRow, EffectRow
from tests.contract.ledger_kit import Shop, effect_of, ends_with, mail_effect, placed, row_of, run, sql, time_passes
from tests.contract.notice_kit import carrier_told, handled, mail_told, payment_told, told
from tests.contract.process_kit import accounts_of, goes_on, rests, row_of_subject, snapshot_of, subject_rests
from tests.contract.release_kit import a_release, silence
from tests.unit.bad_signups import a_signup_with

PHONE = {"customer": {"email": "ada@example.com", "name": "Ada", "phone": "+14155550123"}}
SENDS = {Channel.MAIL: ("sendgrid", "send mail"), Channel.SMS: ("twilio", "send text"), Channel.SLACK: ("slack", "post message")}
COLON = {Channel.MAIL: ":", Channel.SMS: "%3A", Channel.SLACK: ":"}  # as it stands before the step in a call's parameters
PAID = PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=2999, currency="usd")
Happening = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield shop


async def confirmed(**changes: object) -> str:
    order_id = await placed(**changes)
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def tracked(status: str, order_id: str) -> str:
    await handled(carrier_told(status, (await row_of(order_id)).tracking_number or ""))
    return order_id


async def in_transit() -> str:
    return await tracked("TRANSIT", await confirmed())


async def delivered() -> str:
    return await tracked("DELIVERED", await confirmed())


async def undeliverable() -> str:
    return await tracked("FAILURE", await confirmed())


async def refunded() -> str:
    order_id = await confirmed()
    await ask_refund(order_id, "r-1", RefundTerms(), by="ada")
    return order_id


async def refunded_in_part() -> str:
    order_id = await delivered()
    await rests(order_id)
    await ask_refund(order_id, "r-1", RefundTerms(amount=1_000), by="ada")
    return order_id


async def declined() -> str:
    return await placed(paymentMethod="pm_card_chargeDeclined")


async def paid_late() -> str:
    """The first card is declined, the second is charged, and then the first is said to have been charged, too."""
    order_id = await declined()
    await rests(order_id)
    await raise_attempt(order_id, 2, "pm_card_visa")
    await rests(order_id)
    order = await snapshot_of(order_id)
    await handled(payment_told("succeeded", order, order.payment_id or "", attempt=1))
    return order_id


async def bounced(**changes: object) -> str:
    order_id = await confirmed(**changes)
    order = await snapshot_of(order_id)
    sent = (await effect_of(mail_effect(order))).reference or ""
    await handled(mail_told("bounce", order, sent, type="bounce", status="5.1.1"))
    return order_id


async def bounced_with_a_phone() -> str:
    return await bounced(**PHONE)


async def enrolled(**changes: object) -> str:
    """A sign-up whose profile was made and whose payment was taken; nobody has been greeted yet."""
    signup_id = f"s-{uuid4().hex[:8]}"
    about = {"email": f"{signup_id}@example.com", "phoneNumber": "+14155550123", "preferences": {"sms_notifications": True}, **changes}
    await enrol(signup_id, SignupRequest.model_validate(a_signup_with(about)))
    async with transaction() as session:
        row, _ = await locked(session, signup_id, "signup")
        for fact in (ProfileCreated(profile_id="usr_1"), PAID):
            await record(session, row, fact, source="run")
    return signup_id


async def greeting_bounced(**changes: object) -> str:
    signup_id = await enrolled(**changes)
    assert (await subject_rests(signup_id, "signup")).status == "COMPLETE"
    signup = await current(signup_id, kind="signup")
    sent = await sending(signup_id, "welcome-mail")
    event = {"event": "bounce", "type": "bounce", "status": "5.1.1", "email": "ada@example.com", "timestamp": 1}
    about = {"sg_message_id": f"{sent.reference}.recvd-1-2-3", "effect": f"{signup.hub_id}:{sent.key}"}
    await handled(told("sendgrid", "bounce", event | about))
    return signup_id


async def greeting_bounced_without_texts() -> str:
    return await greeting_bounced(preferences={"sms_notifications": False})


async def refused_release() -> str:
    return await a_release(ref="conflicting")


async def silent_release() -> str:
    release_id = await a_release()
    await goes_on(release_id, "release")
    await silence(release_id, 601)
    return release_id


HAPPENINGS: dict[str, tuple[str, Happening]] = {
    "order_confirmation": ("order", placed),
    "order": ("order", placed),
    "shipped": ("order", in_transit),
    "delivered": ("order", delivered),
    "refund": ("order", refunded),
    "money_back": ("order", refunded_in_part),
    "payment_failed": ("order", declined),
    "late_money": ("order", paid_late),
    "attention": ("order", undeliverable),
    "order_confirmation_text": ("order", bounced_with_a_phone),
    "order_confirmation_untold": ("order", bounced),
    "welcome": ("signup", enrolled),
    "payment_confirmation": ("signup", enrolled),
    "verification": ("signup", enrolled),
    "welcome_text": ("signup", greeting_bounced),
    "welcome_untold": ("signup", greeting_bounced_without_texts),
    "release": ("release", refused_release),
    "release_silent": ("release", silent_release),
}


@pytest.mark.parametrize("name", HAPPENINGS)
async def test_a_message_that_cannot_be_sent_now_is_sent_later_once(shop: Shop, name: str) -> None:
    what, (kind, happening) = TYPES[name], HAPPENINGS[name]
    provider, operation = SENDS[what.channel]
    match = {"containing": f"{COLON[what.channel]}{what.step}"}
    await shop.sandbox.fault(provider, operation, "status", status=429, times=None, match=match)
    subject_id = await happening()
    for _ in range(2):
        await goes_on(subject_id, kind)
        assert (await row_of_subject(subject_id, kind)).resume_at is not None, "it is made up for"
        assert (await sending(subject_id, what.step)).state == "intended"
    await shop.sandbox.clear_faults()

    await subject_rests(subject_id, kind)

    effect = await sending(subject_id, what.step)
    async with transaction() as session:
        calls = select(col(AttemptRow.outcome)).where(col(AttemptRow.effect_key) == effect.key).order_by(col(AttemptRow.id))
        assert list(await session.exec(calls)) == ["rate_limited", "rate_limited", "done"]


async def sending(subject_id: str, step: str) -> EffectRow:
    async with transaction() as session:
        mine = (col(EffectRow.subject_id) == subject_id, col(EffectRow.step).op("~")(rf"^{step}(\.[^.]+)?$"))
        return (await session.exec(select(EffectRow).where(*mine))).one()


async def test_a_mail_of_which_nobody_knows_asks_one_person_once_and_the_order_rests(shop: Shop) -> None:
    order_id = await in_transit()
    mailed = await shop.sandbox.count("sendgrid", "mail", order_id)
    with ends_with(LeaseLost):
        async with run(order_id) as order:
            effect = order.effect("shipped-mail", mail_effect(order).request)
            assert isinstance(await begin(effect, shop.sendgrid.terms), Ask)
            await time_passes(effect, 86_400.0 + 60)
            raise LeaseLost("its process died")

    row = await rests(order_id)

    assert f"hub order resolve {order_id} shipped-mail" in (row.attention or "")
    assert await shop.sandbox.count("sendgrid", "mail", order_id) == mailed
    asked = [one for one in await shop.sandbox.objects("slack", "message") if order_id in one["text"] and "shipped-mail" in one["text"]]
    assert len(asked) == 1
