"""A person who wants to be forgotten is: nothing about them is left in any table, and the accounts still add up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from hub.audit import verify_chains
from hub.composing import compose
from hub.database import transaction
from hub.enrolling import enrol, go_on_with
from hub.erasing import ERASED_EMAIL
from hub.facets import Status
from hub.facts import ProfileCreated, Recorded
from hub.forgetting import SILENCE_DAYS, Erased, NoAddress, NotYet, forget_person, whoever_is
from hub.intake import NothingToResume, OrderDiffers, place
from hub.intending import intend
from hub.notices import Notice
from hub.notification_types import WELCOME
from hub.profiles import Profile, ProfileRequest
from hub.refunds import RefundTerms, ask_refund
from hub.signup_views import view_signup
from hub.signups import Signup, SignupRequest
from hub.steps import EffectState
from hub.story import story_of
from hub.subject_rows import as_it_is, locked, record
from hub.views import view_order
from tests.contract.ledger_kit import Shop, an_order, effect_of, facts_of, mail_effect, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled, mail_told, notice_of, told
from tests.contract.process_kit import accounts_of, rests, snapshot_of
from tests.unit.bad_signups import a_signup_with


class Somebody:
    """A customer with everything that a customer can have, whom no other test knows."""

    def __init__(self) -> None:
        mark = uuid4().hex[:6]
        self.email, self.name, self.street = f"grace.{mark}@Example.net", f"Grace {mark}", f"7 {mark} Road"
        self.phone = f"+1202555{int(mark, 16) % 10_000:04}"
        self.words = [self.email.lower(), self.name.lower(), self.phone, self.street.lower()]

    @property
    def order(self) -> dict[str, Any]:
        shipping = {"street": self.street, "city": "Springfield", "state": "IL", "zip": "62701"}
        return {"customer": {"email": self.email, "name": self.name, "phone": self.phone}, "shipping": shipping}

    @property
    def signup(self) -> SignupRequest:
        wishes = {"newsletter": True, "sms_notifications": True}
        about = {"email": self.email, "fullName": self.name, "phoneNumber": self.phone, "preferences": wishes}
        return SignupRequest.model_validate(a_signup_with(about))


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    with accounts_of(shop):
        yield shop


async def delivered(somebody: Somebody) -> str:
    """An order of theirs that is over, with all that was said to them and about them on the way."""
    order_id = await placed(**somebody.order)
    tracking_number = (await rests(order_id)).tracking_number or ""
    for news in ("TRANSIT", "DELIVERED"):
        await handled(carrier_told(news, tracking_number))
        await rests(order_id)
    await handled(await mail_came(somebody, order_id, "delivered"))
    await ask_refund(order_id, "r-1", RefundTerms(amount=100, reason=f"{somebody.name} called"), by="shop")
    await rests(order_id)
    said = f"no such person: {somebody.name}, {somebody.street}"
    await sql("UPDATE attempts SET provider_text = :said WHERE effect_key LIKE :mine", said=said, mine=f"order:{order_id}:%")
    return order_id


async def mail_came(somebody: Somebody, order_id: str, kind: str) -> Notice:
    """What SendGrid tells of the mail that confirmed the order."""
    order = await snapshot_of(order_id)
    mail = await effect_of(mail_effect(order))
    return mail_told(kind, order, mail.reference or "", email=somebody.email, name=somebody.name)


async def signed_up(somebody: Somebody) -> str:
    """A sign-up of theirs with a report, as its run leaves it."""
    signup_id = f"s-{uuid4().hex[:8]}"
    request = somebody.signup
    await enrol(signup_id, request)
    async with transaction() as session:
        row, now = await locked(session, signup_id, "signup")
        signup: Signup = await as_it_is(session, row)
        wanted = ProfileRequest(email=request.email, full_name=request.full_name, phone_number=request.phone_number)
        profile = await intend(session, signup.effect("profile", wanted), now)
        profile.state, profile.reference = EffectState.DONE, "usr_1"
        profile.result = Profile(profile_id="usr_1", reference="r", **wanted.model_dump(), status="new").model_dump()
        welcome = await intend(session, signup.effect(WELCOME.step, compose(WELCOME, signup)), now)
        welcome.state, welcome.reference = EffectState.DONE, "m_2"
        for fact in (ProfileCreated(profile_id="usr_1"), Recorded(status="COMPLETE", epoch=1)):
            await record(session, row, fact, source="run")
        row.resume_at = None
    return signup_id


async def is_forgotten(somebody: Somebody) -> Erased:
    return await forget_person(await whoever_is(somebody.email.upper()), by="ada")


async def everything() -> str:
    """All that stands in the database, in small letters."""
    said: list[str] = []
    async with transaction() as session:
        database = await session.connection()
        columns = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        found = [tuple(row) for row in await database.execute(text(columns))]
        for table in sorted({table for table, _, _ in found}):
            raw = "".join(f", encode({name}, 'escape')" for of, name, kind in found if of == table and kind == "bytea")
            rows = await database.execute(text(f"SELECT to_jsonb(t)::text{raw} FROM {table} t"))  # noqa: S608 - the schema's own names
            said += [str(value) for row in rows for value in row]
    return "\n".join(said).lower()


async def test_after_it_nothing_about_the_person_stands_in_any_table_and_the_accounts_are_as_before(shop: Shop) -> None:
    somebody, bystander = Somebody(), Somebody()
    orders = sorted([await delivered(somebody), await delivered(somebody)])
    signup_id, other = await signed_up(somebody), await delivered(bystander)
    stray = told("stripe", "customer.updated", {"data": {"object": {"email": somebody.email}}})
    await handled(stray)
    before, audited, views = await everything(), await verify_chains(), [await view_order(order_id) for order_id in orders]
    charged = await shop.sandbox.count("stripe", "charge")
    assert [word for word in somebody.words if word not in before] == []

    erased = await is_forgotten(somebody)

    after = await everything()
    assert [word for word in somebody.words if word in after] == []
    assert ((await notice_of(stray)).content, erased.orders, erased.signups) == (None, tuple(orders), (signup_id,))
    assert min(erased.effects, erased.facts, erased.notices) > 0
    assert erased.elsewhere["profiles"] == ("usr_1",)
    assert set(erased.elsewhere) >= {"sendgrid", "shippo"}
    assert (await verify_chains()).heads == audited.heads
    assert [await view_order(order_id) for order_id in orders] == views
    assert (await view_order(other)).status is Status.DELIVERED
    assert bystander.words[0] in after
    assert await shop.sandbox.count("stripe", "charge") == charged


async def test_what_is_left_still_works_and_says_what_was_done(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    order_id, signup_id = await delivered(somebody), await signed_up(somebody)

    await is_forgotten(somebody)

    order = await snapshot_of(order_id)
    assert (order.status, order.recipient.email, order.recipient.phone, order.due) == (Status.DELIVERED, ERASED_EMAIL, None, False)
    assert [event.detail for event in await story_of(order_id) if event.what == "forgotten"] == ["by ada (from person)"]
    assert (await view_signup(signup_id)).user_id == "usr_1"
    with pytest.raises(OrderDiffers):
        await place(order_id, an_order(**somebody.order))


async def test_done_again_it_changes_nothing_and_the_same_address_is_a_new_user_afterwards(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    order_id, signup_id = await delivered(somebody), await signed_up(somebody)
    await is_forgotten(somebody)

    assert await is_forgotten(somebody) == Erased()
    assert [fact.kind for fact in await facts_of(order_id)].count("forgotten") == 1
    again = await enrol(f"s-{uuid4().hex[:8]}", somebody.signup)
    assert (again.new, again.signup_id != signup_id) == (True, True)


async def test_what_a_provider_tells_late_of_somebody_who_was_forgotten_is_applied_and_not_kept(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    order_id = await delivered(somebody)
    await is_forgotten(somebody)

    late = await mail_came(somebody, order_id, "open")
    assert (await handled(late)).by_state == {"handled": 1}

    assert (await notice_of(late)).content is None
    assert somebody.words[0] not in await everything()


async def test_money_may_still_go_back_and_nobody_is_written_to(shop: Shop) -> None:
    somebody = Somebody()
    order_id = await delivered(somebody)
    await is_forgotten(somebody)
    mails = await shop.sandbox.count("sendgrid", "mail")

    await ask_refund(order_id, "r-2", RefundTerms(amount=200), by="shop")
    await rests(order_id)

    assert [effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)] == [100, 200]
    assert await shop.sandbox.count("sendgrid", "mail") == mails


async def test_a_sign_up_of_somebody_who_was_forgotten_is_not_taken_up_again(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    signup_id = await signed_up(somebody)
    await sql("UPDATE signups SET profile = 'unavailable' WHERE id = :id", id=signup_id)

    await is_forgotten(somebody)

    with pytest.raises(NothingToResume):
        await go_on_with(signup_id)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ("status = 'received'", r"is received; once it is delivered, returned, cancelled or refunded$"),
        ("resume_at = NULL", r"is confirmed; once it is delivered, .* or on 20.* if nothing more is heard of it"),
        ("resume_at = NULL, status = 'payment_failed'", "is payment_failed and can be tried again; cancel it first"),
        ("resume_at = NULL, status = 'disputed', dispute = 'open'", "is disputed; once the customer's bank has decided"),
        ("attention = 'look', status = 'delivered'", "needs a person first"),
        ("lease_until = clock_timestamp() + interval '1 h', status = 'delivered'", "is being worked on"),
        ("resume_at = clock_timestamp() + interval '1 h', status = 'delivered'", "goes on by itself at "),
    ],
)
async def test_what_is_under_way_needs_the_person_and_says_until_when(shop: Shop, changes: str, why: str) -> None:
    del shop
    somebody = Somebody()
    order_id = await placed(**somebody.order)
    await rests(order_id)
    await sql(f"UPDATE orders SET {changes} WHERE id = :id", id=order_id)  # noqa: S608 - it stands above

    with pytest.raises(NotYet, match=f"nothing was changed: order {order_id} {why}"):
        await is_forgotten(somebody)

    assert (await row_of(order_id)).request["customer"]["name"] == somebody.name


async def test_an_effect_of_which_nobody_knows_and_an_open_question_hold_it_up_too(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    order_id = await delivered(somebody)
    await sql("UPDATE effects SET state = 'unknown' WHERE key = :key", key=f"order:{order_id}:mail:1")
    with pytest.raises(NotYet, match="has a step that is unknown: mail at sendgrid"):
        await whoever_is(somebody.email)

    await sql("UPDATE effects SET state = 'done' WHERE key = :key", key=f"order:{order_id}:mail:1")
    question = "INSERT INTO approvals (what, subject_kind, subject_id, item, amount, currency, requested_by, state, expires_at) VALUES "
    await sql(question + "('refund', 'order', :id, 'r-9', 1, 'usd', 'shop', 'open', clock_timestamp() + interval '1 d')", id=order_id)
    with pytest.raises(NotYet, match="waits until somebody decides refund r-9"):
        await whoever_is(somebody.email)


async def test_an_order_of_which_nothing_is_heard_any_more_is_not_waited_for_for_ever(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    order_id = await placed(**somebody.order)
    await rests(order_id)
    await sql("UPDATE orders SET progressed_at = progressed_at - make_interval(days => :n) WHERE id = :id", id=order_id, n=SILENCE_DAYS)

    assert (await is_forgotten(somebody)).orders == (order_id,)


async def test_a_sign_up_that_is_under_way_is_waited_for(shop: Shop) -> None:
    del shop
    somebody = Somebody()
    signup_id = f"s-{uuid4().hex[:8]}"
    await enrol(signup_id, somebody.signup)

    with pytest.raises(NotYet, match=f"signup {signup_id} is in progress"):
        await whoever_is(somebody.email)


async def test_nobody_is_found_by_what_is_no_address_and_an_address_that_nobody_has_is_nobody(shop: Shop) -> None:
    del shop
    with pytest.raises(NoAddress):
        await whoever_is("grace")

    assert await forget_person(await whoever_is("nobody.at.all@example.net"), by="ada") == Erased()
