"""The sandbox's page: what has left the hub, as whoever got it sees it, and nothing that was sent acts on the page."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.ledger_kit import Shop, run_of_a_new_order
from tests.contract.pages_kit import HOSTILE, Element, read, rows_of, wanting
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_kit import post

MAIL_KEY, TEXT_SID = "Bearer SG.hub", "AC" + "0a" * 16


async def page_of(sandbox: Sandbox, path: str = "/", status: int = 200, **headers: str) -> Element:
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=10, trust_env=False) as http:
        answer = await http.get(path, headers=headers)
    assert answer.status_code == status, answer.text[-500:]
    return read(answer.text)


async def mailed(sandbox: Sandbox, order: str, subject: str, text: str, html: str) -> None:
    content = [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}]
    to = [{"to": [{"email": "ada@example.com"}]}]
    mail = {"personalizations": to, "from": {"email": "shop@example.com"}, "subject": subject, "content": content}
    await post(sandbox, "/sendgrid/v3/mail/send", MAIL_KEY, json=mail | {"custom_args": {"order_id": order}})


async def posted(sandbox: Sandbox, order: str, text: str, **more: Any) -> str:
    message = {"channel": "C0HUBTEAM", "text": text, "metadata": {"event_type": "hub", "event_payload": {"order_id": order}}}
    return str((await post(sandbox, "/slack/api/chat.postMessage", "Bearer xoxb-hub", json=message | more))["ts"])


async def paid(sandbox: Sandbox, order: str) -> dict[str, Any]:
    form = {"amount": "1999", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", "payment_method_types[]": "card"}
    return await post(sandbox, "/stripe/v1/payment_intents", "Bearer sk_test_hub", data=form | {"metadata[order_id]": order})


async def test_the_outbox_shows_mails_as_they_look_and_as_plain_text(sandbox: Sandbox) -> None:
    await mailed(sandbox, "o-mail", "It is on its way", "Thank you.", "<h1 style='color: green'>Thank you</h1>")

    page = await page_of(sandbox, "/?about=o-mail")

    assert not wanting(page)
    (mail,) = page.all("details", class_="mail")
    assert "to ada@example.com: It is on its way" in mail.text
    assert mail.all("pre")[0].text == "Thank you."
    (frame,) = mail.all("iframe")
    assert frame.attributes["sandbox"] == ""
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        body = await http.get(frame.attributes["src"])
    assert body.text == "<h1 style='color: green'>Thank you</h1>"
    assert body.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_the_outbox_shows_messages_to_the_team_with_buttons_thread_and_changes(sandbox: Sandbox) -> None:
    buttons = [{"type": "button", "text": {"type": "plain_text", "text": word}, "action_id": word} for word in ("Approve", "Reject")]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "A refund of 500.00 USD?"}}, {"type": "actions", "elements": buttons}]
    asked = await posted(sandbox, "o-team", "A refund", blocks=blocks)
    await posted(sandbox, "o-team", "an answer", thread_ts=asked)
    (_, question) = [one.text for one in (await page_of(sandbox, "/?about=o-team")).all("ul", class_="messages")[1].all("li")]
    assert "A refund of 500.00 USD? Buttons: Approve Reject" in question

    change = {"channel": "C0HUBTEAM", "ts": asked, "text": "approved by ada", "blocks": []}
    await post(sandbox, "/slack/api/chat.update", "Bearer xoxb-hub", json=change)

    (answer, question) = [one.text for one in (await page_of(sandbox, "/?about=o-team")).all("ul", class_="messages")[1].all("li")]
    assert f"in the thread of {asked}" in answer
    assert "approved by ada" in question
    assert "changed at" in question
    assert "Buttons" not in question


async def test_charges_stand_with_their_refunds_and_a_filter_leaves_only_one_orders(sandbox: Sandbox) -> None:
    intent = await paid(sandbox, "o-paid")
    await paid(sandbox, "o-other")
    refund = await post(sandbox, "/stripe/v1/refunds", "Bearer sk_test_hub", data={"payment_intent": intent["id"], "amount": "500"})

    (row,) = rows_of(await page_of(sandbox, "/?about=o-paid"), "Amounts in minor units")

    assert (row[1], row[2], row[3]) == (intent["latest_charge"], "1999 usd", "o-paid")
    assert row[4] == f"500 usd, succeeded, {refund['id']}"
    everybody = await page_of(sandbox)
    assert {"o-paid", "o-other"} <= {row[3] for row in rows_of(everybody, "Amounts in minor units")}
    assert not wanting(everybody)


async def test_texts_are_shown_with_what_became_of_them(sandbox: Sandbox) -> None:
    text = {"To": "+15551234567", "From": "+15557654321", "Body": "Welcome. Ref o-text.1a"}
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False, auth=(TEXT_SID, "rehearsal")) as http:
        (await http.post(f"/twilio/2010-04-01/Accounts/{TEXT_SID}/Messages.json", data=text)).raise_for_status()

    (shown,) = [one.text for one in (await page_of(sandbox, "/?about=o-text")).all("ul", class_="messages")[0].all("li")]

    assert "to +15551234567: queued" in shown
    assert "Welcome. Ref o-text.1a" in shown


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_was_sent_is_shown_as_text(sandbox: Sandbox, what: str) -> None:
    bad, order = HOSTILE[what], f"o-bad-{what.replace(' ', '-')}"
    await mailed(sandbox, order, bad, bad, f"<p>{bad}</p><script>top.location='/'</script>")
    await posted(sandbox, order, bad, blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": bad[:3000]}}])

    for path in (f"/?about={order}", "/"):
        page = await page_of(sandbox, path)
        assert not wanting(page)
        assert " ".join(bad.split()) in page.text
        assert not page.all("b")


async def test_a_page_that_leads_its_own_name_here_reads_nothing(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        for path in ("/", "/mails/any"):
            assert (await http.get(path, headers={"Host": "evil.example"})).status_code == 403
        assert (await http.get("/", headers={"Host": "sandbox:8700"})).status_code == 200


async def test_labels_are_shown_with_their_price_and_whom_they_are_for(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        label = await shop.until_labelled(order)

    page = await page_of(shop.sandbox, f"/?about={order.id}")

    (row,) = page.all("section", aria_labelledby="labels")[0].all("tbody")[0].all("tr")
    assert row.text.endswith("Bob Builder 965 Mission St San Francisco CA 94103 US SUCCESS PRE_TRANSIT")
    assert f"{label.tracking_number} USPS Priority Mail" in row.text
