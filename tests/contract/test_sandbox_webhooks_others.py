"""What mails, parcels, texts, the team, GitHub and the warehouse tell, each signature checked by the provider's own library or by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import httpx
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from slack_sdk.signature import SignatureVerifier

from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import MAIL_PUBLIC_KEY, SECRETS, calling_back, label, mail, post, text
from tests.contract.webhook_receiver import Received, Receiver

STAMP = "X-Twilio-Email-Event-Webhook"


@pytest.fixture(scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Sandbox, Receiver]]:
    async with calling_back(tmp_path_factory.mktemp("sandbox")) as pair:
        yield pair


@pytest.fixture
async def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    await both[0].reset()
    both[1].clear()
    return both[0]


@pytest.fixture
def receiver(both: tuple[Sandbox, Receiver], sandbox: Sandbox) -> Receiver:
    return both[1]


def mail_events(receiver: Receiver) -> list[dict[str, Any]]:
    return [event for one in receiver.to("sendgrid") for event in json.loads(one.body)]


async def until_mail_events(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    await receiver.until(lambda _: len(mail_events(receiver)) >= count)
    return mail_events(receiver)


def hmac_hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


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


def twilio_signature(url: str, body: bytes) -> str:
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return base64.b64encode(hmac.new(SECRETS["twilio"].encode(), signed.encode(), hashlib.sha1).digest()).decode()


async def test_a_text_tells_its_status_to_its_own_address_signed_over_it(sandbox: Sandbox, receiver: Receiver) -> None:
    callback = f"{receiver.url}/twilio?effect=0123456789abcdef%3Aorder%3Ao-1%3Atext%3A1"
    message = await text(sandbox, callback=f"{callback}#rc=2&rp=all")
    came = await receiver.until_count(3, "twilio")

    fields = [dict(parse_qsl(one.body.decode())) for one in came]
    assert sorted(one["MessageStatus"] for one in fields) == ["delivered", "queued", "sent"]
    assert {one["MessageSid"] for one in fields} == {message["sid"]}
    for one in came:
        assert receiver.url.removesuffix("/webhooks") + one.target == callback
        assert one.headers["X-Twilio-Signature"] == twilio_signature(callback, one.body)
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in came}) == 3


@pytest.mark.parametrize(("fragment", "tries"), [("", 1), ("#rc=2&rp=5xx", 3)])
async def test_twilio_repeats_a_refused_callback_only_when_its_address_says_so(
    sandbox: Sandbox, receiver: Receiver, fragment: str, tries: int
) -> None:
    message = await text(sandbox, callback=f"{receiver.url}/twilio")
    await receiver.until_count(3, "twilio")
    receiver.clear()
    second = await text(sandbox, callback=f"{receiver.url}/failing{fragment}")
    receiver.answers = [500] * 20
    await sandbox.world(f"texts/{message['sid']}", status="read")
    await receiver.until(lambda _: bool(receiver.to("twilio")))

    [delivery] = await over(sandbox, "read")
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("failed", 1, 500)
    queued = [one for one in await over(sandbox, "queued") if second["sid"] in (one["body"] or "")]
    assert {one["attempts"] for one in queued} == {tries}
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in receiver.to("failing") if b"queued" in one.body}) == 1


async def over(sandbox: Sandbox, kind: str, seconds: float = 10) -> list[dict[str, Any]]:
    """The deliveries of this kind once none of them waits."""
    deadline = time.monotonic() + seconds
    while any(one["state"] == "waiting" for one in await sandbox.webhooks(kind=kind)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return await sandbox.webhooks(kind=kind)


async def test_a_text_that_fails_says_why(sandbox: Sandbox, receiver: Receiver) -> None:
    message = await text(sandbox)
    await sandbox.world(f"texts/{message['sid']}", status="undelivered", error_code=30003)
    await receiver.until(lambda _: any(b"undelivered" in one.body for one in receiver.to("twilio")))

    [failed] = [one for one in receiver.to("twilio") if b"undelivered" in one.body]
    assert parse_qs(failed.body.decode())["ErrorCode"] == ["30003"]
    with pytest.raises(ValueError, match="404"):
        await sandbox.world("texts/SM0", status="sent")


async def message_with_a_button(sandbox: Sandbox) -> dict[str, Any]:
    button = {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}, "value": "o-1"}
    message = {"channel": "C0TEAM", "text": "Refund?", "blocks": [{"type": "actions", "block_id": "decision", "elements": [button]}]}
    return await post(sandbox, "/slack/api/chat.postMessage", "Bearer xoxb-hub", json=message)


def slack_says_it_is_genuine(one: Received) -> bool:
    return SignatureVerifier(SECRETS["slack"]).is_valid_request(one.body, {name: one.headers[name] for name in one.headers})


async def test_a_pressed_button_is_told_as_a_signed_form(sandbox: Sandbox, receiver: Receiver) -> None:
    posted = await message_with_a_button(sandbox)
    await sandbox.world("slack/actions", channel="C0TEAM", ts=posted["ts"], action_id="approve")
    [pressed] = await receiver.until_count(1, "slack")

    assert slack_says_it_is_genuine(pressed)
    assert pressed.headers["Content-Type"] == "application/x-www-form-urlencoded"
    payload = json.loads(parse_qs(pressed.body.decode())["payload"][0])
    assert (payload["type"], payload["message"]["ts"], payload["channel"]["id"]) == ("block_actions", posted["ts"], "C0TEAM")
    [action] = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "decision", "o-1")
    with pytest.raises(ValueError, match="404"):
        await sandbox.world("slack/actions", channel="C0TEAM", ts="1.000000", action_id="approve")


async def test_a_button_is_never_pressed_again_by_slack_itself(sandbox: Sandbox, receiver: Receiver) -> None:
    posted = await message_with_a_button(sandbox)
    receiver.answers = [500]
    await sandbox.world("slack/actions", channel="C0TEAM", ts=posted["ts"], action_id="approve")
    [delivery] = await over(sandbox, "block_actions")
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)


async def test_an_event_of_slack_is_repeated_with_its_number_and_reason(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [503]
    envelope = await sandbox.world("slack/events", event={"type": "app_mention", "text": "hub?"})
    first, second = await receiver.until_count(2, "slack")

    assert all(slack_says_it_is_genuine(one) for one in (first, second))
    assert json.loads(second.body) == envelope
    assert "X-Slack-Retry-Num" not in first.headers
    assert (second.headers["X-Slack-Retry-Num"], second.headers["X-Slack-Retry-Reason"]) == ("1", "http_error")


async def test_slack_stops_when_the_app_asks_it_to(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [500], {"X-Slack-No-Retry": "1"}
    await sandbox.world("slack/events", event={"type": "app_mention"})
    [delivery] = await over(sandbox, "app_mention")
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)


async def test_slack_checks_an_address(sandbox: Sandbox, receiver: Receiver) -> None:
    asked = await sandbox.world("slack/url-verification")
    [check] = await receiver.until_count(1, "slack")
    [delivery] = await over(sandbox, "url_verification")

    assert json.loads(check.body) == asked
    assert (asked["type"], delivery["answer"]) == ("url_verification", "ok")


async def test_a_deployment_status_is_signed_by_github_and_never_repeated(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [500]
    deployment = {"repository": "shop/web", "state": "success", "deployment_id": 7, "payload": {"release_id": "r-1"}}
    await sandbox.world("github/deployment-status", **deployment)
    [came] = await receiver.until_count(1, "github")
    [delivery] = await over(sandbox, "deployment_status")
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)

    signature = hmac_hex(SECRETS["github"], came.body)
    assert (came.headers["X-Hub-Signature-256"], came.headers["X-GitHub-Event"]) == (f"sha256={signature}", "deployment_status")
    event = json.loads(came.body)
    assert (event["deployment_status"]["state"], event["deployment"]["payload"]) == ("success", {"release_id": "r-1"})
    await sandbox.redeliver_webhook(delivery["id"])
    again = (await receiver.until_count(2, "github"))[1]
    assert again.headers["X-GitHub-Delivery"] == came.headers["X-GitHub-Delivery"]


async def test_the_warehouse_signs_by_the_standard_webhooks_scheme(sandbox: Sandbox, receiver: Receiver) -> None:
    event = await sandbox.world("events/custom", type="packed", data={"orderId": "o-1"})
    [came] = await receiver.until_count(1, "custom")

    identity, stamp = came.headers["webhook-id"], came.headers["webhook-timestamp"]
    key = base64.b64decode(SECRETS["custom"].removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"{identity}.{stamp}.".encode() + came.body, hashlib.sha256).digest()).decode()
    assert (came.headers["webhook-signature"], identity) == (f"v1,{signature}", event["id"])
    body = json.loads(came.body)
    assert (body["type"], body["data"], body["timestamp"]) == ("packed", {"orderId": "o-1"}, event["timestamp"])


async def test_the_page_shows_the_last_deliveries_and_no_address_of_a_person(sandbox: Sandbox, receiver: Receiver) -> None:
    await mail(sandbox, "ann@example.com")
    await until_mail_events(receiver, 2)
    async with httpx.AsyncClient(trust_env=False) as http:
        page = (await http.get(sandbox.url)).text

    assert "Latest webhooks" in page
    assert "processed" in page
    assert receiver.url in page
    assert "ann@example.com" not in page
