"""What the tests of ledger, claims and stock share: real orders in real rows, real accounts at a real sandbox, and what the rows say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from blocks.github_account import GitHubAccount
from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.warehouse import Warehouse
from deployments.examples import EXAMPLE_ORDER
from hub.claims import leased, take
from hub.database import transaction
from hub.effects import Effect
from hub.intake import place
from hub.labels import buy_best
from hub.ledger import once
from hub.messages import Mail, PostedMessage, SentMail, TeamMessage
from hub.orders import Order, OrderRequest
from hub.parcels import Address, Label, LabelRequest, ParcelSize, Quote, QuoteRequest
from hub.payments import Payment, PaymentRequest, Refund
from hub.settings import settings
from hub.stock import reserve
from hub.tables import AttemptRow, EffectRow, FactRow, OrderRow, RunRow
from hub.voiding import give_labels_back, labels_of
from tests.contract.sandbox_process import WAREHOUSE_SECRET, Sandbox
from tests.contract.twilio_kit import an_account as twilio_account

STRIPE_KEY = "sk_test_rehearsal_ledger"
SLACK_KEY = "xoxb-rehearsal-ledger"
TIMEOUT_SECONDS, LATE_SECONDS, SEND_WINDOW_SECONDS = 2.0, 0.2, 1.5
SETTLED_SECONDS = SEND_WINDOW_SECONDS + TIMEOUT_SECONDS + LATE_SECONDS
"""After so long a call has surely ended; tests let that time pass with ``time_passes``."""
SHORT_SETTINGS = {
    "HUB_LEASE_SECONDS": "5",
    "HUB_IN_HAND_SECONDS": "3",
    "HUB_SEND_WINDOW_SECONDS": str(SEND_WINDOW_SECONDS),
    "HUB_WAIT_IN_PLACE_SECONDS": "5",
}
DESK = Address(name="Bob Builder", street="965 Mission St", city="San Francisco", state="CA", zip="94103", email="bob@example.net")


class Shop:
    """The accounts at one sandbox, and each step of an order as the tasks make it: through ``once``."""

    def __init__(self, sandbox: Sandbox) -> None:
        limits = {"timeout_seconds": TIMEOUT_SECONDS, "late_seconds": LATE_SECONDS}
        self.sandbox = sandbox
        self.stripe = StripeAccount(api_key=STRIPE_KEY, base_url=f"{sandbox.url}/stripe", **limits)
        self.shippo = ShippoAccount(api_key="shippo_test_rehearsal_ledger", base_url=f"{sandbox.url}/shippo", **limits)
        self.slack = SlackAccount(api_key=SLACK_KEY, base_url=f"{sandbox.url}/slack/api", **limits)
        self.twilio = twilio_account(sandbox.url, timeout_seconds=TIMEOUT_SECONDS)
        self.github = GitHubAccount(api_key="github_pat_rehearsal_ledger", base_url=f"{sandbox.url}/github", **limits)
        self.warehouse = Warehouse(api_key=WAREHOUSE_SECRET, base_url=f"{sandbox.url}/warehouse", **limits)
        self.sendgrid = SendGridAccount(
            api_key="SG.rehearsal.ledger", base_url=f"{sandbox.url}/sendgrid", from_email="orders@example.com", **limits
        )

    async def pay(self, order: Order, **changes: Any) -> Payment:
        effect = payment_effect(order, **changes)
        return await once(effect, terms=self.stripe.terms, call=self.stripe.take_payment, find=self.stripe.find_payment)

    async def refund(self, refund: Effect) -> Refund:
        return await once(refund, terms=self.stripe.terms, call=self.stripe.refund_payment, find=self.stripe.find_refund)

    async def quote(self, order: Order, to_zip: str = DESK.zip) -> Quote:
        there = DESK.model_copy(update={"zip": to_zip})
        request = QuoteRequest(
            sender=DESK, recipient=there, parcel=ParcelSize(length_cm=30, width_cm=20, height_cm=10, weight_g=900), reference=order.id
        )
        return await once(order.effect("quote", request), terms=self.shippo.terms, call=self.shippo.quote)

    async def label(self, order: Order, rate_id: str) -> Label:
        effect = label_effect(order, rate_id)
        return await once(effect, terms=self.shippo.terms, call=self.shippo.buy_label, find=self.shippo.find_label)

    async def best_label(self, order: Order, quote: Quote) -> Label:
        return await buy_best(order, quote, terms=self.shippo.terms, call=self.shippo.buy_label, find=self.shippo.find_label)

    async def give_labels_back(self, order: Order) -> None:
        shippo = {"terms": self.shippo.terms, "find_label": self.shippo.find_label}
        await give_labels_back(order, await labels_of(order), void=self.shippo.void_label, find_void=self.shippo.find_void, **shippo)

    async def tell_team(self, order: Order, step: str = "team") -> PostedMessage:
        effect = team_effect(order, step)
        return await once(effect, terms=self.slack.terms, call=self.slack.post_message, find=self.slack.find_message)

    async def mail(self, order: Order) -> SentMail:
        return await once(mail_effect(order), terms=self.sendgrid.terms, call=self.sendgrid.send_mail)

    async def charge(self, effect: Effect, key: str) -> Payment:
        """Charge as a run does that dies before it has heard the answer."""
        return await self.stripe.take_payment(PaymentRequest.model_validate(effect.request.model_dump()), key=key)

    async def post(self, effect: Effect, key: str) -> PostedMessage:
        """Post as a run does that dies before it has heard the answer."""
        return await self.slack.post_message(TeamMessage.model_validate(effect.request.model_dump()), key=key)

    async def until_paid(self, order: Order) -> Payment:
        await reserve(order)
        return await self.pay(order)

    async def until_offered(self, order: Order, to_zip: str = DESK.zip) -> Quote:
        await self.until_paid(order)
        return await self.quote(order, to_zip)

    async def until_quoted(self, order: Order) -> str:
        return (await self.until_offered(order)).rates[0].rate_id

    async def until_labelled(self, order: Order) -> Label:
        return await self.label(order, await self.until_quoted(order))


@asynccontextmanager
async def open_shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    """A shop at the sandbox, under short settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT_SETTINGS.items():
            patch.setenv(name, value)
        settings.cache_clear()
        yield Shop(sandbox)
    settings.cache_clear()


@asynccontextmanager
async def changed(**values: str) -> AsyncIterator[None]:
    """Other settings while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"HUB_{name.upper()}", value)
        settings.cache_clear()
        yield
    settings.cache_clear()


async def clean(shop: Shop) -> Shop:
    """Forget what the sandbox saw and what the gates learned, so that a test counts only its own."""
    await shop.sandbox.reset()
    await sql("DELETE FROM provider_gates")
    return shop


@contextmanager
def ends_with(kind: type[BaseException], match: str | None = None) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """Check that the block, a whole run, ends with the error."""
    with pytest.raises(kind, match=match) as caught:
        yield caught


def payment_effect(order: Order, **changes: Any) -> Effect:
    request = PaymentRequest(
        amount=order.money.amount,
        currency=order.money.currency,
        payment_method=order.payment_method,
        description=f"Order {order.id}",
        metadata=order.reference,
        return_url="https://shop.example.com/back",
    )
    return order.effect("payment", request.model_copy(update=changes))


def label_effect(order: Order, rate_id: str) -> Effect:
    return order.effect("label", LabelRequest(rate_id=rate_id, reference=f"{order.hub_id}:{order.effect_key('label')}"))


def team_effect(order: Order, step: str = "team") -> Effect:
    return order.effect(step, TeamMessage(channel="C0HUBTEAM", text=f"order {order.id}", metadata=order.reference))


def mail_effect(order: Order) -> Effect:
    letter = {
        "to_email": "bob@example.net",
        "to_name": "Bob Builder",
        "subject": f"Order {order.id}",
        "text": "Hello",
        "html": "<p>Hello</p>",
    }
    return order.effect("mail", Mail(**letter, metadata=order.reference))


def an_order(**changes: Any) -> OrderRequest:
    return OrderRequest.model_validate({**EXAMPLE_ORDER, **changes})


async def placed(**changes: Any) -> str:
    """Place an order under a new id, and return the id."""
    order_id = f"o-{uuid4().hex[:10]}"
    await place(order_id, an_order(**changes))
    return order_id


@asynccontextmanager
async def run(order_id: str, run_id: str | None = None) -> AsyncIterator[Order]:
    """A run that holds the order while the block runs."""
    async with leased(order_id, run_id or f"run-{uuid4().hex[:8]}") as lease:
        assert lease.is_mine
        yield lease.subject


@asynccontextmanager
async def run_of_a_new_order(**changes: Any) -> AsyncIterator[Order]:
    async with run(await placed(**changes)) as order:
        yield order


async def dies(order_id: str) -> Order:
    """Take the order as a run that never comes back: what is left of it is its lease, which is over."""
    lease = await take(order_id, f"dead-{uuid4().hex[:8]}")
    assert lease is not None
    assert lease.is_mine
    return lease.subject


async def lease_ends(order: Order) -> None:
    await sql("UPDATE orders SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = :id", id=order.id)


async def time_passes(effect: Effect, seconds: float) -> None:
    """Let everything that was done about the effect have happened so much earlier."""
    for table, key, moments in (
        ("attempts", "effect_key", ("started_at", "send_by", "settles_at", "ended_at")),
        ("effects", "key", ("created_at", "useful_until", "resume_at")),
    ):
        earlier = ", ".join(f"{moment} = {moment} - make_interval(secs => :seconds)" for moment in moments)
        await sql(f"UPDATE {table} SET {earlier} WHERE {key} = :key", key=effect.key, seconds=seconds)  # noqa: S608 - the names stand above


async def sql(statement: str, **values: Any) -> None:
    async with transaction() as session:
        await (await session.connection()).execute(text(statement), values)


async def row_of(order_id: str) -> OrderRow:
    async with transaction() as session:
        return await session.get_one(OrderRow, order_id)


async def effect_of(effect: Effect) -> EffectRow:
    async with transaction() as session:
        return await session.get_one(EffectRow, effect.key)


async def attempts_of(effect: Effect, kind: str = "call") -> list[AttemptRow]:
    """What was asked (``call``) or looked up (``look``) about the effect, oldest first."""
    async with transaction() as session:
        mine = (col(AttemptRow.effect_key) == effect.key, col(AttemptRow.kind) == kind)
        return list(await session.exec(select(AttemptRow).where(*mine).order_by(col(AttemptRow.id))))


async def outcomes_of(effect: Effect, kind: str = "call") -> list[str | None]:
    return [attempt.outcome for attempt in await attempts_of(effect, kind)]


async def facts_of(order_id: str) -> list[FactRow]:
    async with transaction() as session:
        return list(await session.exec(select(FactRow).where(col(FactRow.subject_id) == order_id).order_by(col(FactRow.id))))


async def runs_of(order_id: str) -> list[RunRow]:
    async with transaction() as session:
        return list(await session.exec(select(RunRow).where(col(RunRow.subject_id) == order_id).order_by(col(RunRow.id))))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        await asyncio.sleep(0.02)
