"""What texts, the team, GitHub and the warehouse tell, each signature checked by Slack's own library or computed here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from slack_sdk.signature import SignatureVerifier

from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import SECRETS, hmac_hex, post, text
from tests.contract.webhook_receiver import Received, Receiver


@pytest.fixture
def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    return both[0]


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
    receiver.answers = [500] * 20
    second = await text(sandbox, callback=f"{receiver.url}/failing{fragment}")
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
