"""What mails and parcels tell, each signature checked by SendGrid's own library, or by hand for Shippo, which has none."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook

from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import MAIL_PUBLIC_KEY, SECRETS, hmac_hex, label, mail, post
from tests.contract.webhook_receiver import Receiver

STAMP = "X-Twilio-Email-Event-Webhook"


@pytest.fixture
def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    return both[0]


def mail_events(receiver: Receiver) -> list[dict[str, Any]]:
    return [event for one in receiver.to("sendgrid") for event in json.loads(one.body)]


async def until_mail_events(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    await receiver.until(lambda _: len(mail_events(receiver)) >= count)
    return mail_events(receiver)


async def test_what_becomes_of_a_mail_is_told_with_a_signature_that_sendgrids_own_library_accepts(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    message = await mail(sandbox, "ann@example.com", order="o-mail")
    events = await until_mail_events(receiver, 2)

    assert sorted(event["event"] for event in events) == ["delivered", "processed"]
    assert len({event["sg_event_id"] for event in events}) == 2
    for event in events:
        assert event["sg_message_id"].startswith(f"{message}.")
        assert (event["email"], event["order_id"], event["effect"]) == ("ann@example.com", "o-mail", "h:order:o-mail:mail:1")
    for one in receiver.to("sendgrid"):
        library = EventWebhook(MAIL_PUBLIC_KEY)
        signature, stamp = one.headers[f"{STAMP}-Signature"], one.headers[f"{STAMP}-Timestamp"]
        assert library.verify_signature(one.body.decode(), signature, stamp)
        assert not library.verify_signature(one.body.decode() + " ", signature, stamp)


@pytest.mark.parametrize(
    ("address", "story"),
    [
        ("bounce@example.com", ["bounce", "processed"]),
        ("bounce+o-1@example.com", ["bounce", "processed"]),
        ("dropped@example.com", ["dropped"]),
        ("deferred@example.com", ["deferred", "delivered", "processed"]),
        ("spamreport@example.com", ["delivered", "processed", "spamreport"]),
        ("unsubscribe@example.com", ["delivered", "processed", "unsubscribe"]),
        ("bouncer@example.com", ["delivered", "processed"]),
    ],
)
async def test_some_addresses_have_a_story_of_their_own(sandbox: Sandbox, receiver: Receiver, address: str, story: list[str]) -> None:
    await mail(sandbox, address)
    assert sorted(event["event"] for event in await until_mail_events(receiver, len(story))) == story


async def test_a_mail_is_opened_when_somebody_says_so(sandbox: Sandbox, receiver: Receiver) -> None:
    message = await mail(sandbox, "ann@example.com")
    told = await sandbox.world(f"mails/{message}", event="open")
    events = await until_mail_events(receiver, 3)

    assert told in events
    with pytest.raises(ValueError, match="404"):
        await sandbox.world("mails/nothing", event="open")
    with pytest.raises(ValueError, match="409"):
        await sandbox.world(f"mails/{message}", event="open", email="bob@example.com")


async def test_sendgrids_events_come_many_in_one_array_on_demand(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("sendgrid", batch=8, window=2, duplicate=1)
    await mail(sandbox, "ann@example.com", "bob@example.com")
    await until_mail_events(receiver, 8)

    [batch] = receiver.to("sendgrid")
    identities = [event["sg_event_id"] for event in json.loads(batch.body)]
    assert (len(identities), len(set(identities))) == (8, 4)


async def test_a_batch_that_is_never_full_comes_after_its_window(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("sendgrid", batch=100, window=0.2)
    await mail(sandbox, "ann@example.com")
    assert len(await until_mail_events(receiver, 2)) == 2


async def test_a_label_and_its_parcel_are_told_with_shippos_signature(sandbox: Sandbox, receiver: Receiver) -> None:
    transaction = await label(sandbox)
    number = transaction["tracking_number"]
    await receiver.until_count(1, "shippo")
    await sandbox.world(f"parcels/{number}", status="TRANSIT")
    await receiver.until_count(2, "shippo")
    await sandbox.world(f"parcels/{number}", status="DELIVERED")
    came = await receiver.until_count(3, "shippo")

    created, transit, delivered = [json.loads(one.body) for one in came]
    assert (created["event"], created["test"], created["data"]["object_id"]) == ("transaction_created", True, transaction["object_id"])
    assert (created["data"]["status"], created["data"]["tracking_number"]) == ("SUCCESS", number)
    assert [one["data"]["tracking_status"]["status"] for one in (transit, delivered)] == ["TRANSIT", "DELIVERED"]
    track = delivered["data"]
    assert (delivered["event"], track["tracking_number"], track["transaction"]) == ("track_updated", number, transaction["object_id"])
    assert track["metadata"] == "0123456789abcdef:order:o-1:label:1"
    assert [one["status"] for one in track["tracking_history"]] == ["TRANSIT", "DELIVERED"]
    for one in came:
        stamp, signature = (part.split("=", 1)[1] for part in one.headers["Shippo-Auth-Signature"].split(","))
        assert signature == hmac_hex(SECRETS["shippo"], f"{stamp}.".encode() + one.body)
    assert [effect["kind"] for effect in await sandbox.effects("shippo", subject="o-1")] == ["label", "parcel_transit", "parcel_delivered"]


async def test_late_news_of_a_parcel_are_told_but_do_not_move_it_back(sandbox: Sandbox, receiver: Receiver) -> None:
    number = (await label(sandbox))["tracking_number"]
    await sandbox.world(f"parcels/{number}", status="DELIVERED")
    track = await sandbox.world(f"parcels/{number}", status="TRANSIT", at="2026-01-01T00:00:00+00:00")
    await receiver.until_count(3, "shippo")

    assert track["tracking_status"]["status"] == "DELIVERED"
    news = [json.loads(one.body)["data"]["tracking_status"] for one in receiver.to("shippo")]
    assert {one if isinstance(one, str) else one["status"] for one in news} == {"PRE_TRANSIT", "TRANSIT", "DELIVERED"}


async def test_a_label_printed_later_and_a_voided_one_are_told(sandbox: Sandbox, receiver: Receiver) -> None:
    queued = await label(sandbox, asynchronous=True)
    await receiver.until_count(2, "shippo")
    voided = {"transaction": queued["object_id"]}
    await post(sandbox, "/shippo/refunds", "ShippoToken shippo_test_hub", json=voided)
    came = await receiver.until_count(4, "shippo")

    bodies = [json.loads(one.body) for one in came]
    told = [(body["event"], body["data"]["status"]) for body in bodies]
    updates = [("transaction_updated", status) for status in ("REFUNDED", "REFUNDPENDING", "SUCCESS")]
    assert sorted(told) == [("transaction_created", "QUEUED"), *updates]


async def test_a_parcel_that_nobody_sent_cannot_move(sandbox: Sandbox, receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="404"):
        await sandbox.world("parcels/1Z000", status="DELIVERED")
    with pytest.raises(ValueError, match="422"):
        await sandbox.world("parcels/1Z000", status="LOST")


async def test_the_page_shows_the_last_deliveries_and_of_a_person_only_what_the_outbox_has(sandbox: Sandbox, receiver: Receiver) -> None:
    await mail(sandbox, "ann@example.com")
    await until_mail_events(receiver, 2)
    async with httpx.AsyncClient(trust_env=False) as http:
        page = (await http.get(sandbox.url)).text

    assert "Latest webhooks" in page
    assert "processed" in page
    assert receiver.url in page
    assert "ann@example.com" not in page[page.index("Latest webhooks") :]
