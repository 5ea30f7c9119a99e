"""The rehearsal SendGrid, Shippo and Slack: what their official clients, and httpx for Shippo, get from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import pytest
from python_http_client.exceptions import BadRequestsError, UnauthorizedError
from sendgrid import SendGridAPIClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.contract.sandbox_process import Sandbox

ADA = {"name": "Ada", "street1": "1 Main St", "city": "Springfield", "state": "IL", "zip": "62701", "country": "US"}
PARCEL = {"length": "20", "width": "10", "height": "5", "distance_unit": "cm", "weight": "700", "mass_unit": "g"}


@pytest.fixture
def sendgrid(sandbox: Sandbox) -> SendGridAPIClient:
    client = SendGridAPIClient("SG.rehearsal", host=f"{sandbox.url}/sendgrid")
    client.client.timeout = 10
    return client


@pytest.fixture(scope="module")
async def shippo(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "ShippoToken shippo_test_1"}
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/shippo", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
async def slack(sandbox: Sandbox) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient("xoxb-rehearsal", base_url=f"{sandbox.url}/slack/api/", session=session, retry_handlers=[])


def a_mail(order: str, **more: Any) -> dict[str, Any]:
    return {
        "personalizations": [{"to": [{"email": "ada@example.com", "name": "Ada"}]}],
        "from": {"email": "orders@example.com"},
        "subject": "Your order",
        "content": [{"type": "text/plain", "value": "Thank you."}, {"type": "text/html", "value": "<p>Thank you.</p>"}],
        "custom_args": {"order_id": order, "hub_id": "h"},
        **more,
    }


async def a_shipment(shippo: httpx.AsyncClient, recipient_zip: str = "94103", **more: Any) -> dict[str, Any]:
    body = {"address_from": ADA, "address_to": {**ADA, "zip": recipient_zip}, "parcels": [PARCEL], "async": False, **more}
    answer = await shippo.post("/shipments", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_mail_is_accepted_with_an_id_and_kept(sandbox: Sandbox, sendgrid: SendGridAPIClient) -> None:
    sent = await asyncio.to_thread(sendgrid.send, a_mail("o-mail"))

    assert (sent.status_code, sent.body) == (202, b"")
    [effect] = await sandbox.effects("sendgrid", "mail", "o-mail")
    assert effect["id"] == sent.headers["X-Message-Id"]
    assert effect["reference"] == {"order_id": "o-mail", "hub_id": "h"}
    [mail] = [mail for mail in await sandbox.objects("sendgrid", "mail") if mail["message_id"] == effect["id"]]
    assert mail["to"] == [{"email": "ada@example.com", "name": "Ada"}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": {}}, "from.email"),
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": [{"email": "nobody"}]}]}, "personalizations.0.to.0.email"),
        ({"personalizations": [{"to": [{"email": "a@b.co"}, {"email": "A@b.co"}]}]}, "personalizations.0"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"custom_args": {"order_id": 7}}, "custom_args"),
    ],
)
async def test_a_wrong_mail_is_refused_with_the_field(
    sandbox: Sandbox, sendgrid: SendGridAPIClient, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRequestsError) as refused:
        await asyncio.to_thread(sendgrid.send, a_mail("o-wrong", **change))
    assert refused.value.to_dict["errors"][0]["field"] == field
    assert await sandbox.count("sendgrid", "mail", "o-wrong") == 0


async def test_a_mail_key_can_be_checked_without_sending(sandbox: Sandbox, sendgrid: SendGridAPIClient) -> None:
    assert (await asyncio.to_thread(sendgrid.client.scopes.get)).status_code == 200
    await sandbox.revoke("sendgrid", "SG.rehearsal")
    with pytest.raises(UnauthorizedError):
        await asyncio.to_thread(sendgrid.client.scopes.get)
    await sandbox.restore("sendgrid", "SG.rehearsal")


async def test_a_shipment_has_rates_and_a_rate_becomes_a_label(sandbox: Sandbox, shippo: httpx.AsyncClient) -> None:
    reference = f"{uuid4()}:order:o-label:label:1"
    shipment = await a_shipment(shippo, metadata=reference)
    assert {rate["provider"] for rate in shipment["rates"]} == {"USPS", "UPS", "FedEx"}
    assert [rate["amount"] for rate in shipment["rates"]] == [rate["amount"] for rate in (await a_shipment(shippo))["rates"]]
    rate = shipment["rates"][0]
    assert (await shippo.get("/transactions", params={"rate": rate["object_id"]})).json()["results"] == []

    bought = await shippo.post("/transactions", json={"rate": rate["object_id"], "metadata": reference, "async": False})

    label = bought.json()
    assert (bought.status_code, label["status"], label["metadata"], label["created_by"]) == (201, "SUCCESS", reference, None)
    assert label["tracking_number"]
    listed = (await shippo.get("/transactions/", params={"rate": rate["object_id"]})).json()["results"]
    assert [one["object_id"] for one in listed] == [label["object_id"]]
    assert (await shippo.get(f"/transactions/{label['object_id']}")).json() == label
    [effect] = await sandbox.effects("shippo", "label", "o-label")
    assert (effect["id"], effect["amount"], effect["currency"]) == (label["object_id"], round(float(rate["amount"]) * 100), "usd")
    track = (await shippo.get(f"/tracks/usps/{label['tracking_number']}")).json()
    assert track["tracking_status"]["status"] == "PRE_TRANSIT"


async def test_a_rate_bought_twice_is_two_labels_because_shippo_knows_no_keys(sandbox: Sandbox, shippo: httpx.AsyncClient) -> None:
    rate = (await a_shipment(shippo, metadata=f"{uuid4()}:order:o-twice:label:1"))["rates"][0]["object_id"]
    for _ in range(2):
        await shippo.post("/transactions", json={"rate": rate, "async": False}, headers={"Idempotency-Key": "ignored"})
    assert await sandbox.count("shippo", "label", "o-twice") == 2


async def test_a_label_can_be_refused_with_a_created_transaction(sandbox: Sandbox, shippo: httpx.AsyncClient) -> None:
    shipment = await a_shipment(shippo, "00000", metadata=f"{uuid4()}:order:o-nowhere:label:1")
    bought = await shippo.post("/transactions", json={"rate": shipment["rates"][0]["object_id"], "async": False})
    assert (bought.status_code, bought.json()["status"]) == (201, "ERROR")
    assert bought.json()["messages"][0]["code"] == "failed_address_validation"
    assert await sandbox.count("shippo", "label", "o-nowhere") == 0


async def test_nobody_delivers_to_some_places(shippo: httpx.AsyncClient) -> None:
    shipment = await a_shipment(shippo, "99999")
    assert shipment["rates"] == []
    assert {message["source"] for message in shipment["messages"]} == {"USPS", "UPS", "FedEx"}


async def test_a_label_ordered_without_waiting_is_printed_later_and_a_voided_one_refunded(
    sandbox: Sandbox, shippo: httpx.AsyncClient
) -> None:
    shipment = await a_shipment(shippo, metadata=f"{uuid4()}:order:o-later:label:1")
    queued = (await shippo.post("/transactions", json={"rate": shipment["rates"][1]["object_id"]})).json()
    assert (queued["status"], queued["tracking_number"], queued["label_url"]) == ("QUEUED", "", "")

    await becomes(shippo, f"/transactions/{queued['object_id']}", "SUCCESS")
    assert await sandbox.count("shippo", "label", "o-later") == 1
    voided = await shippo.post("/refunds", json={"transaction": queued["object_id"], "async": False})
    assert (voided.status_code, voided.json()["status"]) == (201, "PENDING")
    await becomes(shippo, f"/refunds/{voided.json()['object_id']}", "SUCCESS")
    await becomes(shippo, f"/transactions/{queued['object_id']}", "REFUNDED")
    assert (await shippo.post("/refunds", json={"transaction": queued["object_id"]})).status_code == 400


async def becomes(shippo: httpx.AsyncClient, path: str, status: str) -> None:
    deadline = time.monotonic() + 5
    while (await shippo.get(path)).json()["status"] != status:
        assert time.monotonic() < deadline, f"{path} did not become {status}"
        await asyncio.sleep(0.02)


async def test_shippo_names_what_is_missing_and_who_may_not(sandbox: Sandbox, shippo: httpx.AsyncClient) -> None:
    missing = await shippo.post("/shipments", json={"address_from": {**ADA, "city": ""}, "address_to": ADA, "parcels": [PARCEL]})
    assert (missing.status_code, missing.json()) == (400, {"address_from": [{"city": ["This field is required."]}]})
    too_long = await shippo.post("/transactions", json={"rate": (await a_shipment(shippo))["rates"][0]["object_id"], "metadata": "x" * 101})
    assert (too_long.status_code, list(too_long.json())) == (400, ["metadata"])
    assert (await shippo.get("/rates/nothing")).status_code == 404
    assert (await shippo.get("/carrier_accounts")).status_code == 200
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/shippo", trust_env=False) as stranger:
        for scheme in ("Bearer shippo_test_1", "ShippoToken shippo_live_1"):
            assert (await stranger.get("/carrier_accounts", headers={"Authorization": scheme})).status_code == 401


async def test_slack_messages_are_found_again_by_their_metadata(sandbox: Sandbox, slack: AsyncWebClient) -> None:
    metadata = {"event_type": "order", "event_payload": {"order_id": "o-slack", "hub_id": "h"}}
    before = await slack.chat_postMessage(channel="C0TEAM", text="earlier")
    posted = await slack.chat_postMessage(channel="C0TEAM", text="o-slack is paid", metadata=metadata)
    await slack.chat_postMessage(channel="C0TEAM", text="later")

    found = await slack.conversations_history(channel="C0TEAM", oldest=before["ts"], include_all_metadata=True)
    assert [message["text"] for message in found["messages"]] == ["later", "o-slack is paid"]
    assert found["messages"][1]["metadata"] == metadata
    plain = await slack.conversations_history(channel="C0TEAM", oldest=before["ts"], inclusive=True)
    assert len(plain["messages"]) == 3
    assert "metadata" not in plain["messages"][1]
    [effect] = await sandbox.effects("slack", "message", "o-slack")
    assert (effect["id"], effect["reference"]["channel"]) == (posted["ts"], "C0TEAM")


async def test_a_channels_history_has_only_those_replies_that_the_channel_was_to_see(slack: AsyncWebClient) -> None:
    first = await slack.chat_postMessage(channel="C0THREADS", text="first")
    await slack.chat_postMessage(channel="C0THREADS", text="in the thread", thread_ts=first["ts"])
    await slack.chat_postMessage(channel="C0THREADS", text="for all", thread_ts=first["ts"], reply_broadcast=True)

    history = await slack.conversations_history(channel="C0THREADS")
    assert [message["text"] for message in history["messages"]] == ["for all", "first"]


async def test_a_slack_message_can_be_changed_and_long_histories_come_in_pages(sandbox: Sandbox, slack: AsyncWebClient) -> None:
    stamps = [str((await slack.chat_postMessage(channel="C0PAGES", text=str(n)))["ts"]) for n in range(5)]
    await slack.chat_update(channel="C0PAGES", ts=stamps[0], text="changed")
    texts: list[str] = []
    async for page in await slack.conversations_history(channel="C0PAGES", limit=2):
        texts += [message["text"] for message in page["messages"]]
    assert texts == ["4", "3", "2", "1", "changed"]
    assert await sandbox.count("slack", "message_updated") == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "general", "text": "hi"}, "channel_not_found"),
        ({"channel": "C0TEAM", "text": ""}, "no_text"),
        ({"channel": "C0TEAM", "text": "x" * 40_001}, "msg_too_long"),
    ],
)
@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
async def test_slack_says_no_with_status_200(slack: AsyncWebClient, arguments: dict[str, str], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        await slack.chat_postMessage(**arguments)  # type: ignore[arg-type]  # a text for every argument is what is tested
    assert (refused.value.response.status_code, refused.value.response["error"]) == (200, error)


async def test_slack_tokens_are_checked(sandbox: Sandbox, slack: AsyncWebClient) -> None:
    assert (await slack.auth_test())["ok"]
    await sandbox.revoke("slack", "xoxb-rehearsal")
    with pytest.raises(SlackApiError, match="token_revoked"):
        await slack.auth_test()
    await sandbox.restore("slack", "xoxb-rehearsal")
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await slack.auth_test(token="xoxp-somebody")
