"""From a mail, a label, a text to our fact: what is told later is the very fact that the answer to our call meant."""

from __future__ import annotations

import pytest

from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.twilio_account import TwilioAccount
from hub.errors import Refused
from hub.facts import (
    ButtonPressed,
    Delivered,
    DeliveryFailed,
    Fact,
    InTransit,
    MessageMoved,
    Packed,
    RateRefused,
    Returned,
    Unwanted,
)
from hub.message_facts import Delivery
from hub.messages import Mail, TeamMessage, TextRequest
from hub.order_steps import ORDER_STEPS
from hub.parcels import Address, Label, LabelRequest, ParcelSize, QuoteRequest, VoidRequest, VoidStatus
from tests.contract.sandbox_process import Sandbox
from tests.contract.told_kit import HUB_ID, REFERENCE, Told, key, meant


def shippo_at(sandbox: Sandbox) -> ShippoAccount:
    return ShippoAccount(api_key="shippo_test_rehearsal_shippo", base_url=f"{sandbox.url}/shippo", timeout_seconds=5)


async def test_a_mail_is_told_to_have_been_taken_on_delivered_and_opened_under_the_id_of_the_answer(told: Told) -> None:
    sent = await mail(told.sandbox, "bob@example.net")
    await told.sandbox.world(f"mails/{sent}", event="open")

    await told.until(mail_is(sent, Delivery.ACCEPTED), mail_is(sent, Delivery.DELIVERED), mail_is(sent, Delivery.OPENED))


async def test_a_mail_that_bounces_or_is_unwanted_is_told_without_the_address(told: Told) -> None:
    sent = await mail(told.sandbox, "bounce@example.net")
    for event in ("dropped", "deferred", "spamreport", "unsubscribe", "click"):
        await told.sandbox.world(f"mails/{sent}", event=event)

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


async def test_a_label_is_told_as_it_was_answered_and_the_parcel_until_it_is_back(told: Told) -> None:
    label = await buy_label(told.sandbox)
    for status in ("TRANSIT", "FAILURE", "DELIVERED", "RETURNED"):
        await told.sandbox.world(f"parcels/{label.tracking_number}", status=status)

    number = label.tracking_number
    await told.until(
        meant("label", label),
        InTransit(tracking_number=number),
        Delivered(tracking_number=number),
        Returned(tracking_number=number),
        lambda fact: isinstance(fact, DeliveryFailed) and fact.tracking_number == number,
    )


async def test_a_refused_label_is_told_with_the_code_of_the_answer(told: Told) -> None:
    with pytest.raises(Refused) as refused:
        await buy_label(told.sandbox, to_zip="00000")

    refusal = ORDER_STEPS["label"].refused_means(1, refused.value)
    assert refusal is not None
    await told.until(refusal)


@pytest.mark.parametrize("used", [False, True])
async def test_a_label_that_goes_back_is_told_as_its_void_would_be_answered(told: Told, used: bool) -> None:
    label = await buy_label(told.sandbox)
    if used:
        await told.sandbox.world(f"parcels/{label.tracking_number}", status="TRANSIT")

    void = await shippo_at(told.sandbox).void_label(VoidRequest(label_id=label.label_id), key=key("void"))

    status = VoidStatus.REFUSED if used else VoidStatus.SUCCEEDED
    await told.until(meant("void", void.model_copy(update={"status": status})))


async def test_a_carrier_that_sells_no_label_is_told_as_it_was_answered(told: Told) -> None:
    with pytest.raises(Refused) as refused:
        await buy_label(told.sandbox, to_zip="00001")

    refusal = ORDER_STEPS["label"].refused_means(1, refused.value)
    assert isinstance(refusal, RateRefused)
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


async def test_a_text_is_told_until_it_arrives_or_fails_under_the_id_of_the_answer(told: Told) -> None:
    account = {"api_key": "rehearsal_twilio_token", "account_sid": "AC" + "0a" * 16, "from_number": "+15005550006"}
    twilio = TwilioAccount.model_validate({**account, "base_url": f"{told.sandbox.url}/twilio", "timeout_seconds": 5})
    text = TextRequest(to="+14155550123", text="It comes.", status_callback=f"{told.receiver.url}/twilio")
    sid = (await twilio.send_text(text, key=key("text.mail"))).sid
    await told.until(lambda fact: isinstance(fact, MessageMoved) and fact.delivery is Delivery.DELIVERED)
    await told.sandbox.world(f"texts/{sid}", status="undelivered", error_code=30003)

    failed = MessageMoved(step="text.mail", attempt=1, channel="sms", delivery=Delivery.FAILED, message_id=sid, code="30003")
    await told.until(failed)


async def test_a_button_under_our_message_is_told(told: Told) -> None:
    slack = SlackAccount(api_key="xoxb-rehearsal-slack", base_url=f"{told.sandbox.url}/slack/api", timeout_seconds=5)
    message = TeamMessage(channel="C0HUBTEAM", text="order o-1 waits", metadata=REFERENCE)
    posted = await slack.post_message(message, key=key("team-alert.1"))
    await told.sandbox.world("slack/actions", channel=posted.channel, ts=posted.timestamp, action_id="resume", value=key("team-alert.1"))

    await told.until(lambda fact: isinstance(fact, ButtonPressed) and (fact.action, fact.message) == ("resume", posted.timestamp))


async def test_a_deployment_of_ours_is_told(told: Told) -> None:
    payload = {"effect": f"{HUB_ID}:release:r-1:deployment:1"}
    await told.sandbox.world("github/deployment-status", repository="shop/web", state="success", payload=payload)

    await told.until(lambda fact: fact.kind == "deployment moved" and fact.state == "success")


async def test_the_warehouse_is_understood(told: Told) -> None:
    await told.sandbox.world("events/custom", type="packed", data={"orderId": "o-1"})

    await told.until(Packed())
