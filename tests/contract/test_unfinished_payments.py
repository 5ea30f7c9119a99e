"""Payments that their customers do not finish in time are called off: those of orders and those of sign-ups."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio
from sqlmodel import select

from hub.claims import leased
from hub.database import transaction
from hub.due import give_up_the_hopeless
from hub.effects import Parked
from hub.enrolling import enrol
from hub.facts import MessageMoved, PaymentWaits, ProfileCreated
from hub.message_facts import Delivery
from hub.owed import expire_payments, owed_effects
from hub.payments import NextAction
from hub.signups import SignupRequest
from hub.subject_rows import locked, record
from hub.tables import EffectRow
from tests.contract.ledger_kit import ends_with, placed, run, sql
from tests.unit.bad_signups import a_signup_with

WAITS = PaymentWaits(attempt=1, payment_id="pi_1", next_action=NextAction(type="redirect_to_url", url="https://bank.example.com"))
TABLES = {"order": "orders", "signup": "signups"}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _nothing_else_waits(hub_database: str) -> AsyncIterator[None]:
    yield
    await sql("TRUNCATE orders, signups, effects, attempts, facts, runs CASCADE")


async def waiting(kind: str, *, hours: float) -> tuple[str, str]:
    """Something whose payment has been waiting for its customer for so long."""
    subject_id = await placed() if kind == "order" else f"s-{uuid4().hex[:8]}"
    if kind == "signup":
        await enrol(subject_id, SignupRequest.model_validate(a_signup_with({"email": f"{subject_id}@example.com"})))
    async with transaction() as session:
        row, _ = await locked(session, subject_id, kind)
        for fact in (ProfileCreated(profile_id="usr_1"), WAITS) if kind == "signup" else (WAITS,):
            await record(session, row, fact, source="run")
        row.resume_at = None
    await sql("UPDATE facts SET at = at - make_interval(secs => :seconds) WHERE subject_id = :id", seconds=hours * 3600, id=subject_id)
    return kind, subject_id


async def test_news_that_say_nothing_about_the_payment_postpone_nothing() -> None:
    subjects = [await waiting(kind, hours=25) for kind in TABLES]
    async with transaction() as session:
        for kind, subject_id in subjects:
            row, _ = await locked(session, subject_id, kind)
            opened = MessageMoved(step="mail", attempt=1, channel="mail", delivery=Delivery.OPENED)
            assert await record(session, row, opened, source="webhook")

    assert await expire_payments() == subjects


async def test_after_a_day_they_are_called_off_once_by_the_next_run() -> None:
    subjects = [await waiting(kind, hours=25) for kind in TABLES]

    assert await expire_payments() == subjects
    assert await expire_payments() == [], "its next run is due and has not come yet"

    for kind, subject_id in subjects:
        async with leased(subject_id, "run-1", kind) as lease:
            [owed] = await owed_effects(lease.subject)
        assert (owed.key, owed.request.model_dump()) == (f"{kind}:{subject_id}:expire-payment.1:1", {"payment_id": "pi_1"})


async def test_the_run_that_calls_it_off_may_fail_before_a_person_is_called() -> None:
    _, order_id = await waiting("order", hours=25)
    await expire_payments()

    with ends_with(Parked):
        async with run(order_id):
            raise Parked(0, "a closed gate")

    assert await give_up_the_hopeless() == [], "for a day the customer was waited for, not the provider"


async def test_a_customer_who_still_has_time_is_left_alone() -> None:
    for kind in TABLES:
        await waiting(kind, hours=23)

    assert await expire_payments() == []


async def test_what_a_person_looks_at_and_what_a_run_is_due_for_is_left_alone() -> None:
    for kind, table in TABLES.items():
        _, looked_at = await waiting(kind, hours=25)
        _, due = await waiting(kind, hours=25)
        await sql(f"UPDATE {table} SET attention = 'look' WHERE id = :id", id=looked_at)  # noqa: S608 - one of two names
        await sql(f"UPDATE {table} SET resume_at = clock_timestamp() WHERE id = :id", id=due)  # noqa: S608 - one of two names

    assert await expire_payments() == []
    async with transaction() as session:
        assert list(await session.exec(select(EffectRow))) == []
