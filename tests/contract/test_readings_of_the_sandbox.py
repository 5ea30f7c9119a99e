"""From the provider's call to our fact: what is told later is the very fact that the answer to our call meant."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import pytest_asyncio

from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.twilio_account import TwilioAccount
from gateway.openers.delivery import Delivery as Call
from gateway.openers.registry import OPENERS
from hub.errors import Refused
from hub.facts import (
    ButtonPressed,
    Delivered,
    DeliveryFailed,
    DisputeClosed,
    DisputeOpened,
    Fact,
    InTransit,
    MessageMoved,
    Packed,
    PaymentCanceled,
    PaymentSettled,
    RefundedInAll,
    RefundFailed,
    RefundSettled,
    Returned,
    Unwanted,
)
from hub.message_facts import Delivery
from hub.messages import Mail, TeamMessage, TextRequest
from hub.order_steps import ORDER_STEPS
from hub.parcels import Address, Label, LabelRequest, ParcelSize, QuoteRequest
from hub.payments import CancelRequest, Payment, PaymentRequest, RefundRequest
from hub.readings import News, Reference, reading_of
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import calling_back
from tests.contract.webhook_receiver import Received, Receiver

HUB_ID = UUID("3f1c0000-0000-4000-8000-000000000001")
REFERENCE = {"hub_id": str(HUB_ID), "order_id": "o-1"}


def key(step: str) -> str:
    return f"{HUB_ID}:order:o-1:{step}:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Sandbox, Receiver]]:
    async with calling_back(tmp_path_factory.mktemp("sandbox")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    await both[0].reset()
    both[1].clear()
    return both[0]


@pytest_asyncio.fixture(loop_scope="session")
async def told(both: tuple[Sandbox, Receiver], sandbox: Sandbox) -> Told:
    return Told(both[1])


class Told:
    """What the hub understands of what comes in. Every kind has a reading, and every reading understands it."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def news(self) -> list[News]:
        return [news for one in self.receiver.received for news in understood(one)]

    def facts(self) -> list[Fact]:
        return [fact for news in self.news() for fact in news.facts]

    async def until(self, *wanted: Fact | Callable[[Fact], bool]) -> None:
        def is_there(one: Fact | Callable[[Fact], bool]) -> bool:
            return any(one(fact) if callable(one) else one == fact for fact in self.facts())

        try:
            await self.receiver.until(lambda _: all(is_there(one) for one in wanted))
        except TimeoutError:
            pytest.fail(f"{[one for one in wanted if not is_there(one)]} not among {self.facts()}")


def understood(one: Received) -> list[News]:
    target = urlsplit(one.target)
    headers = [(name.lower().encode(), value.encode()) for name, value in one.headers.items()]
    found = []
    for notice in OPENERS[one.provider].notices(Call(one.body, headers, target.path, target.query, time.time())):
        reading = reading_of(notice.provider, notice.kind)
        assert notice.readable
        assert reading is not None, f"nobody reads {notice.kind} of {notice.provider}"
        if (news := reading(json.loads(notice.content))) is not None:
            found.append(news)
    return found


def stripe_at(sandbox: Sandbox) -> StripeAccount:
    return StripeAccount(api_key="sk_test_rehearsal_stripe", base_url=f"{sandbox.url}/stripe", timeout_seconds=5)


def shippo_at(sandbox: Sandbox) -> ShippoAccount:
    return ShippoAccount(api_key="shippo_test_rehearsal_shippo", base_url=f"{sandbox.url}/shippo", timeout_seconds=5)


async def pay(sandbox: Sandbox, method: str = "pm_card_visa", **more: Any) -> Payment:
    request = PaymentRequest(amount=2999, currency="usd", payment_method=method, description="Order o-1", metadata=REFERENCE, **more)
    return await stripe_at(sandbox).take_payment(request, key=key("payment"))


def meant(step: str, answer: Any) -> Fact:
    """The fact that the ledger makes of an answer."""
    fact = ORDER_STEPS[step].means(1, answer).fact
    assert fact is not None
    return fact


async def test_a_payment_is_told_as_it_was_answered(sandbox: Sandbox, told: Told) -> None:
    payment = await pay(sandbox)

    await told.until(meant("payment", payment))


async def test_a_payment_that_waits_and_then_succeeds_is_told_as_it_was_answered(sandbox: Sandbox, told: Told) -> None:
    payment = await pay(sandbox, "pm_card_authenticationRequired")
    await told.until(meant("payment", payment))

    await sandbox.customer_approves(payment.payment_id)

    await told.until(meant("payment", await stripe_at(sandbox).read_payment(payment.payment_id)))
    assert PaymentSettled in {type(fact) for fact in told.facts()}


async def test_a_declined_card_is_told_with_the_code_of_the_answer(sandbox: Sandbox, told: Told) -> None:
    with pytest.raises(Refused) as refused:
        await pay(sandbox, "pm_card_chargeDeclinedInsufficientFunds")

    refusal = ORDER_STEPS["payment"].refused_means(1, refused.value)
    assert refusal is not None
    await told.until(refusal)


async def test_a_payment_that_settles_later_is_told_twice(sandbox: Sandbox, told: Told) -> None:
    payment = await pay(sandbox, "pm_usBankAccount_processing", return_url="https://shop.example.com/return")
    await told.until(meant("payment", payment))

    await sandbox.world(f"stripe/payments/{payment.payment_id}/settle", succeeds=True)

    await told.until(lambda fact: isinstance(fact, PaymentSettled) and fact.amount == 2999)


async def test_a_canceled_payment_is_told(sandbox: Sandbox, told: Told) -> None:
    payment = await pay(sandbox, "pm_card_authenticationRequired", return_url="https://shop.example.com/return")
    await stripe_at(sandbox).cancel_payment(CancelRequest(payment_id=payment.payment_id), key=key("expire-payment.1"))

    await told.until(PaymentCanceled(attempt=1, payment_id=payment.payment_id))


@pytest.mark.parametrize("method", ["pm_card_visa", "pm_card_pendingRefund"])
async def test_a_refund_of_ours_is_told_as_it_was_answered_and_by_its_charge(sandbox: Sandbox, told: Told, method: str) -> None:
    payment = await pay(sandbox, method)
    request = RefundRequest(payment_id=payment.payment_id, amount=2999, currency="usd", metadata=REFERENCE)
    refund = await stripe_at(sandbox).refund_payment(request, key=key("refund"))

    await told.until(
        meant("refund", refund),
        RefundSettled(attempt=1, refund_id=refund.refund_id, amount=2999, currency="usd"),
        RefundedInAll(attempt=1, charge_id=payment.charge_id or "", amount=2999, currency="usd"),
    )


async def test_a_refund_by_hand_names_the_payment_and_may_fail(sandbox: Sandbox, told: Told) -> None:
    payment = await pay(sandbox)
    refund = await sandbox.world(f"stripe/payments/{payment.payment_id}/refund", amount=500)
    await sandbox.world(f"stripe/refunds/{refund['id']}/fail")

    await told.until(RefundFailed(attempt=None, refund_id=refund["id"], code="expired_or_canceled_card"))
    settled = RefundSettled(attempt=None, refund_id=refund["id"], amount=500, currency="usd")
    assert [news.about for news in told.news() if settled in news.facts] == [Reference(provider="stripe", reference=payment.payment_id)]


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_a_dispute_is_told_from_its_beginning_to_its_end(sandbox: Sandbox, told: Told, end: str) -> None:
    payment = await pay(sandbox)
    dispute = (await sandbox.world(f"stripe/payments/{payment.payment_id}/dispute"))["id"]
    await sandbox.world(f"stripe/disputes/{dispute}/close", status=end)

    money = {"charge_id": payment.charge_id or "", "reason": "fraudulent", "amount": 2999, "currency": "usd"}
    await told.until(
        DisputeOpened.model_validate({"attempt": None, "dispute_id": dispute, **money}),
        DisputeClosed(attempt=None, dispute_id=dispute, won=end == "won"),
    )


async def test_a_mail_is_told_to_have_been_taken_on_delivered_and_opened_under_the_id_of_the_answer(sandbox: Sandbox, told: Told) -> None:
    sent = await mail(sandbox, "bob@example.net")
    await sandbox.world(f"mails/{sent}", event="open")

    await told.until(mail_is(sent, Delivery.ACCEPTED), mail_is(sent, Delivery.DELIVERED), mail_is(sent, Delivery.OPENED))


async def test_a_mail_that_bounces_or_is_unwanted_is_told_without_the_address(sandbox: Sandbox, told: Told) -> None:
    sent = await mail(sandbox, "bounce@example.net")
    for event in ("dropped", "deferred", "spamreport", "unsubscribe", "click"):
        await sandbox.world(f"mails/{sent}", event=event)

    await told.until(
        lambda fact: isinstance(fact, MessageMoved) and (fact.code or "").startswith("bounce."),
        lambda fact: isinstance(fact, MessageMoved) and (fact.code or "").startswith("dropped."),
        mail_is(sent, Delivery.DEFERRED),
        Unwanted(channel="mail", reason="spam report"),
        Unwanted(channel="mail", reason="unsubscribed"),
    )
    assert "example.net" not in str(told.facts())


async def mail(sandbox: Sandbox, to_email: str) -> str:
    fields = {"from_email": "orders@example.com", "from_name": "Orders", "timeout_seconds": 5}
    sendgrid = SendGridAccount.model_validate({"api_key": "SG.rehearsal.sendgrid", "base_url": f"{sandbox.url}/sendgrid", **fields})
    letter = Mail(to_email=to_email, to_name="Bob", subject="Your order", text="It comes.", html="<p>It comes.</p>", metadata=REFERENCE)
    return (await sendgrid.send_mail(letter, key=key("mail"))).message_id


def mail_is(message_id: str, delivery: Delivery) -> Fact:
    return MessageMoved(step="mail", attempt=1, channel="mail", delivery=delivery, message_id=message_id)


async def test_a_label_is_told_as_it_was_answered_and_the_parcel_until_it_is_back(sandbox: Sandbox, told: Told) -> None:
    label = await buy_label(sandbox)
    for status in ("TRANSIT", "FAILURE", "DELIVERED", "RETURNED"):
        await sandbox.world(f"parcels/{label.tracking_number}", status=status)

    number = label.tracking_number
    await told.until(
        meant("label", label),
        InTransit(tracking_number=number),
        Delivered(tracking_number=number),
        Returned(tracking_number=number),
        lambda fact: isinstance(fact, DeliveryFailed) and fact.tracking_number == number,
    )


async def test_a_refused_label_is_told_with_the_code_of_the_answer(sandbox: Sandbox, told: Told) -> None:
    with pytest.raises(Refused) as refused:
        await buy_label(sandbox, to_zip="00000")

    refusal = ORDER_STEPS["label"].refused_means(1, refused.value)
    assert refusal is not None
    await told.until(refusal)


async def buy_label(sandbox: Sandbox, to_zip: str = "94103") -> Label:
    shippo = shippo_at(sandbox)
    here = Address(name="Warehouse", street="1 Dock Rd", city="Oakland", state="CA", zip="94607")
    there = Address(name="Bob Builder", street="965 Mission St", city="San Francisco", state="CA", zip=to_zip)
    size = ParcelSize(length_cm=30, width_cm=20, height_cm=10, weight_g=900)
    reference = f"{HUB_ID.hex[:12]}:order:o-1"
    quote = await shippo.quote(QuoteRequest(sender=here, recipient=there, parcel=size, reference=f"{reference}:quote:1"), key=key("quote"))
    purchase = LabelRequest(rate_id=quote.rates[0].rate_id, reference=f"{reference}:label:1")
    return await shippo.buy_label(purchase, key=key("label"))


async def test_a_text_is_told_until_it_arrives_or_fails_under_the_id_of_the_answer(sandbox: Sandbox, told: Told) -> None:
    account = {"api_key": "rehearsal_twilio_token", "account_sid": "AC" + "0a" * 16, "from_number": "+15005550006"}
    twilio = TwilioAccount.model_validate({**account, "base_url": f"{sandbox.url}/twilio", "timeout_seconds": 5})
    text = TextRequest(to="+14155550123", text="It comes.", status_callback=f"{told.receiver.url}/twilio")
    sid = (await twilio.send_text(text, key=key("text.mail"))).sid
    await told.until(lambda fact: isinstance(fact, MessageMoved) and fact.delivery is Delivery.DELIVERED)
    await sandbox.world(f"texts/{sid}", status="undelivered", error_code=30003)

    failed = MessageMoved(step="text.mail", attempt=1, channel="sms", delivery=Delivery.FAILED, message_id=sid, code="30003")
    await told.until(failed)


async def test_a_button_under_our_message_is_told(sandbox: Sandbox, told: Told) -> None:
    slack = SlackAccount(api_key="xoxb-rehearsal-slack", base_url=f"{sandbox.url}/slack/api", timeout_seconds=5)
    message = TeamMessage(channel="C0HUBTEAM", text="order o-1 waits", metadata=REFERENCE)
    posted = await slack.post_message(message, key=key("team-alert.1"))
    await sandbox.world("slack/actions", channel=posted.channel, ts=posted.timestamp, action_id="resume", value=key("team-alert.1"))

    await told.until(lambda fact: isinstance(fact, ButtonPressed) and (fact.action, fact.message) == ("resume", posted.timestamp))


async def test_a_deployment_of_ours_is_told(sandbox: Sandbox, told: Told) -> None:
    payload = {"effect": f"{HUB_ID}:release:r-1:deployment:1"}
    await sandbox.world("github/deployment-status", repository="shop/web", state="success", payload=payload)

    await told.until(lambda fact: fact.kind == "deployment moved" and fact.state == "success")


async def test_the_warehouse_is_understood(sandbox: Sandbox, told: Told) -> None:
    await sandbox.world("events/custom", type="packed", data={"orderId": "o-1"})

    await told.until(Packed())
