"""The buttons on the pages for people: what the ledger has of them, whose word it was, and whom they do not obey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from hub.api_keys import add_key
from hub.beginning import begin
from hub.database import transaction
from hub.effects import LeaseLost
from hub.errors import Refused
from hub.facts import AttentionNeeded
from hub.gate_views import gates
from hub.subject_rows import locked, record
from tests.contract.gateway_process import Gateway, running_gateway
from tests.contract.ledger_kit import Shop, ends_with, facts_of, mail_effect, placed, row_of, run, run_of_a_new_order, sql, time_passes
from tests.contract.notice_kit import handled, notice_of, told
from tests.contract.pages_kit import Visitor, notice_on, wanting

DAY = 86_400.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway whose Prefect is down."""
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(gateway: Gateway) -> AsyncIterator[Visitor]:
    """Somebody whose key opens everything."""
    async with Visitor(gateway.url) as visitor:
        assert (await visitor.sign_in(await add_key("ada"))).status_code == 303
        yield visitor


async def who_opens(gateway: Gateway, *scopes: str) -> Visitor:
    """Somebody whose key opens only that; close it after use."""
    visitor = Visitor(gateway.url)
    await visitor.sign_in(await add_key(f"key {uuid4().hex[:8]}", scopes))
    return visitor


async def needing(reason: str) -> str:
    """An order that needs a person for this reason."""
    order_id = await placed()
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="undo")
        row.resume_at = None
    return order_id


async def undelivered_mail(shop: Shop) -> str:
    """An order that needs a person because nobody knows of its mail."""
    with ends_with(LeaseLost):
        async with run_of_a_new_order() as order:
            await shop.until_labelled(order)
            await begin(mail_effect(order), shop.sendgrid.terms)
            await time_passes(mail_effect(order), DAY + 60)
            await shop.mail(order)
    return order.id


async def test_what_needs_a_person_stands_beside_the_runbook_and_a_button_lets_it_go_on(ada: Visitor) -> None:
    order_id = await needing("refund re_1 failed (lost_or_stolen_card); the customer has not got that money")
    page = await ada.see("/ui/attention")
    (article,) = [one for one in page.all("article") if order_id in one.text]
    assert "Agree with the customer on another way" in article.all("aside")[0].text
    assert not wanting(page)

    after = await ada.press(article, "Retry")

    assert notice_on(after) == f"Order {order_id} goes on."
    assert not [one for one in after.all("article") if order_id in one.text]
    row = await row_of(order_id)
    assert (row.attention, row.resume_at is None) == (None, False)
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "taken up again"] == ["ada"]
    assert not (await ada.see("/ui/attention")).all("div", class_="notice")


async def test_pressing_a_button_that_somebody_else_was_quicker_with_changes_nothing_and_says_so(ada: Visitor) -> None:
    order_id = await needing("dispute dp_1 was lost; the bank has taken the money back")
    page = await ada.see(f"/ui/orders/{order_id}")
    await ada.press(page, "Retry")
    await sql("UPDATE orders SET resume_at = NULL WHERE id = :id", id=order_id)

    again = await ada.press(page, "Retry")

    assert notice_on(again).startswith(f"Nothing was changed: order {order_id} is received and waits for nothing of ours")


async def test_an_order_whose_payment_failed_is_tried_anew_with_another_card(shop: Shop, ada: Visitor) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)

    after = await ada.press(await ada.see(f"/ui/orders/{order.id}"), "Try anew", payment_method="pm_card_visa")

    assert notice_on(after) == f"Attempt 2 of order {order.id} begins."
    row = await row_of(order.id)
    assert (row.attempt, row.payment_method) == (2, "pm_card_visa")


async def test_a_person_says_on_the_page_what_came_of_a_mail_and_the_ledger_knows_who(shop: Shop, ada: Visitor) -> None:
    order_id = await undelivered_mail(shop)
    page = await ada.see("/ui/attention")
    (article,) = [one for one in page.all("article") if order_id in one.text]
    assert "look in SendGrid's activity feed" in article.text

    after = await ada.press(article, "It happened", reference="14c5d75ce93")

    assert notice_on(after) == f"Noted of order {order_id}: mail happened, says ada. It goes on."
    async with run(order_id) as order:
        assert (await shop.mail(order)).message_id == "14c5d75ce93"
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "told by hand"] == ["ada"]
    assert await shop.sandbox.count("sendgrid", "mail", order_id) == 0


async def test_a_mail_that_did_not_happen_is_asked_for_again(shop: Shop, ada: Visitor) -> None:
    order_id = await undelivered_mail(shop)

    await ada.press(await ada.see(f"/ui/orders/{order_id}"), "It did not happen")

    facts = [fact.data for fact in await facts_of(order_id) if fact.kind == "told by hand"]
    assert [(fact["step"], fact["happened"], fact["by"]) for fact in facts] == [("mail", False, "ada")]


@pytest.mark.parametrize("path", ["/ui/attention", "/ui/services"])
async def test_a_notice_that_nobody_could_apply_is_replayed_from_either_page(ada: Visitor, path: str) -> None:
    broken = told("stripe", "payment_intent.succeeded", {"data": {}})
    await handled(broken)
    row = await notice_of(broken)
    assert row.state == "failed"
    page = await ada.see(path)
    if path == "/ui/attention":
        (article,) = [one for one in page.all("article") if f"notice {row.id}" in one.text]
        assert "the provider sends something new" in article.all("aside")[0].text

    after = await ada.press(page, f"Replay notice {row.id}")

    assert notice_on(after) == f"Notice {row.id} is due again; it is handled within half a minute."
    row = await notice_of(broken)
    assert (row.state, row.outcome, row.tries) == ("kept", "replayed by ada", 0)
    await handled()


async def test_a_provider_is_paused_and_resumed_and_the_ledger_says_by_whom(gateway: Gateway, ada: Visitor) -> None:
    page = await ada.see("/ui/services")
    (github,) = page.all("section", aria_labelledby="github")

    paused = await ada.press(github, "Pause", because="their maintenance")

    assert notice_on(paused).startswith("github is paused")
    assert {gate.provider: gate.paused for gate in await gates()}["github"] == "their maintenance (ada)"
    (github,) = paused.all("section", aria_labelledby="github")
    assert "their maintenance (ada)" in github.text
    resumed = await ada.press(github, "Resume")
    assert notice_on(resumed).startswith("github is open")
    assert {gate.provider: gate.state for gate in await gates()}["github"] == "open"
    assert "/ui/services/github/pause by ada: done" in gateway.log()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "http://127.0.0.1"}],
    ids=["none", "another site", "nobody's", "another port", "no port"],
)
async def test_a_form_of_another_site_does_nothing_even_with_the_right_token(ada: Visitor, headers: dict[str, str]) -> None:
    order_id = await needing("the carrier could not deliver the parcel (FAILURE)")
    (form,) = [one for one in (await ada.see(f"/ui/orders/{order_id}")).all("form") if "Retry" in one.text]
    values = {one.attributes["name"]: one.attributes["value"] for one in form.all("input")}
    assert "form_token" in values

    answer = await ada.http.post(form.attributes["action"], data=values, headers=headers)

    assert (answer.status_code, "not asked for on a page of the hub" in answer.text) == (403, True)
    assert (await row_of(order_id)).attention is not None


async def test_a_form_without_the_token_of_this_session_does_nothing(gateway: Gateway, ada: Visitor) -> None:
    order_id = await needing("the carrier could not deliver the parcel (FAILURE)")
    async with await who_opens(gateway, "orders:read", "orders:write") as other:
        theirs = (await other.see(f"/ui/orders/{order_id}")).all("input", name="form_token")[0].attributes["value"]

    for token in ({}, {"form_token": ""}, {"form_token": theirs}, {"form_token": "é"}):
        for path in (f"/ui/orders/{order_id}/retry", "/ui/services/stripe/pause", "/ui/notices/1/replay"):
            answer = await ada.http.post(path, data=token, headers={"Origin": ada.url})
            assert (answer.status_code, "not from your session" in answer.text) == (403, True)

    assert (await row_of(order_id)).attention is not None
    assert {gate.state for gate in await gates()} == {"open"}


async def test_a_key_opens_the_pages_and_buttons_of_its_scopes_and_no_others(gateway: Gateway, ada: Visitor) -> None:
    order_id = await needing("the carrier could not deliver the parcel (FAILURE)")
    broken = told("stripe", "payment_intent.succeeded", {"data": {}})
    await handled(broken)
    async with await who_opens(gateway, "orders:read") as reader:
        page = await reader.see(f"/ui/orders/{order_id}")
        assert [one.text for one in page.all("button")] == ["Find", "Sign out"]
        assert "Bob" not in page.text
        assert (await row_of(order_id)).request["customer"]["email"] not in page.text
        assert "customers:read" in page.text
        attention = await reader.see("/ui/attention")
        assert order_id in attention.text
        assert "notice" not in attention.text
        for path in ("/ui/signups", "/ui/releases", "/ui/services"):
            assert "this key does not open" in (await reader.see(path, 403)).text
        token = page.all("input", name="form_token")
        assert not token
        reading = (await reader.see("/ui/attention")).all("input", name="form_token")
        assert not reading
    async with await who_opens(gateway, "orders:read", "orders:write") as writer:
        form_token = (await writer.see(f"/ui/orders/{order_id}")).all("input", name="form_token")[0].attributes["value"]
        for path in (
            "/ui/signups/s-1/retry",
            "/ui/releases/r-1/resolve",
            "/ui/services/stripe/pause",
            f"/ui/notices/{(await notice_of(broken)).id}/replay",
        ):
            answer = await writer.http.post(path, data={"form_token": form_token}, headers={"Origin": writer.url})
            assert (answer.status_code, "this key does not open" in answer.text) == (403, True)
    assert (await notice_of(broken)).state == "failed"
    async with await who_opens(gateway, "metrics:read") as prometheus:
        assert "this key does not open orders:read" in (await prometheus.see("/ui/", 403)).text
