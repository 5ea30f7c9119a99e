"""The pages for people: what somebody at a browser sees of real rows, at a real gateway, and who sees nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import uuid4

import pytest
import pytest_asyncio

from deployments.examples import EXAMPLE_SIGNUP
from hub.api_keys import add_key, revoke_key
from hub.database import transaction
from hub.decisions import begin_undo
from hub.enrolling import enrol
from hub.errors import Refused
from hub.facts import StockShort
from hub.intake import place
from hub.signups import SignupRequest
from hub.subject_rows import locked, record
from tests.contract.gateway_process import Gateway, running_gateway
from tests.contract.ledger_kit import Shop, an_order, payment_effect, placed, row_of, run, run_of_a_new_order, sql
from tests.contract.notice_kit import handled, notice_of, payment_told, told
from tests.contract.pages_kit import HOSTILE, Visitor, described, rows_of, wanting
from tests.contract.release_kit import a_release

PAGES = ("/ui/", "/ui/orders", "/ui/signups", "/ui/releases", "/ui/attention", "/ui/services", "/ui/runbook", "/ui/search?q=nobody")
PREFECT = "http://127.0.0.1:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway whose Prefect is down."""
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database, prefect_url=f"{PREFECT}/api") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(gateway: Gateway) -> AsyncIterator[Visitor]:
    """Somebody whose key opens everything."""
    async with Visitor(gateway.url) as visitor:
        assert (await visitor.sign_in(await add_key("ada"))).status_code == 303
        yield visitor


async def test_nobody_sees_anything_without_a_key_and_afterwards_gets_where_they_wanted(gateway: Gateway) -> None:
    key = await add_key("late")
    async with Visitor(gateway.url) as visitor:
        for path in PAGES:
            answer = await visitor.http.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/ui/sign-in")
        form = await visitor.see("/ui/orders?status=paid")
        assert form.all("h1")[0].text == "Sign in"
        (onward,) = form.all("input", name="next")

        answer = await visitor.sign_in(key, next=onward.attributes["value"])

        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/orders?status=paid")
        assert (await visitor.http.get("/")).headers["location"] == "/ui/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "/uizard", "javascript:alert(1)"])
async def test_signing_in_leads_to_no_other_site(gateway: Gateway, ada: Visitor, elsewhere: str) -> None:
    async with Visitor(gateway.url) as visitor:
        answer = await visitor.sign_in(await add_key(f"astray {uuid4().hex[:8]}"), next=elsewhere)

    assert answer.headers["location"] == "/ui/"
    (onward,) = (await ada.see(f"/ui/sign-in?next={elsewhere}")).all("input", name="next")
    assert onward.attributes["value"] == "/ui/"


async def test_a_wrong_key_is_told_so_and_begins_no_session(gateway: Gateway) -> None:
    async with Visitor(gateway.url) as visitor:
        for wrong in ("", "hub_wrong", "x" * 100_000):
            answer = await visitor.sign_in(wrong)
            assert (answer.status_code, "unknown or revoked" in answer.text) == (401, True)
        assert not visitor.http.cookies


async def test_the_cookie_is_for_these_pages_alone_holds_no_key_and_cannot_be_made_up(gateway: Gateway) -> None:
    key = await add_key("grace")
    async with Visitor(gateway.url) as visitor:
        answer = await visitor.sign_in(key)
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "Path=/ui", "SameSite=strict", "Max-Age=28800"} <= set(cookie.split("; "))
        assert key not in cookie
        content, _, signature = visitor.http.cookies["hub_session"].partition(".")
        for forged in (f"{content}.{signature[::-1]}", content, f"{content[:-2]}AA.{signature}", "null.x", ".", "%", "W1tb" * 5000):
            answer = await visitor.http.get("/ui/orders", headers={"Cookie": f"hub_session={forged}"})
            assert answer.status_code == 303, forged
    async with Visitor(gateway.url) as over_tls:
        over_tls.http.headers["X-Forwarded-Proto"] = "https"
        assert "Secure" in (await over_tls.sign_in(key)).headers["set-cookie"]


async def test_a_session_ends_with_its_key_and_when_somebody_signs_out(gateway: Gateway) -> None:
    async with Visitor(gateway.url) as visitor:
        await visitor.sign_in(await add_key("short"))
        page = await visitor.see("/ui/orders")
        assert "Signed in as short" in page.text
        assert (await visitor.press(page, "Sign out")).all("h1")[0].text == "Sign in"
        assert not visitor.http.cookies
        await visitor.sign_in(await add_key("shorter"))
        await revoke_key("shorter")
        assert (await visitor.http.get("/ui/orders")).status_code == 303


async def test_whoever_is_signed_in_at_one_gateway_is_known_to_another_that_shares_its_folder(gateway: Gateway, hub_database: str) -> None:
    async with running_gateway(gateway.log_file.parent, database_url=hub_database) as another, Visitor(gateway.url) as visitor:
        await visitor.sign_in(await add_key("everywhere"))

        there = await visitor.http.get(f"{another.url}/ui/orders")

    assert (there.status_code, "Signed in as" in there.text) == (200, True)


async def test_the_overview_counts_and_lists_lead_through_all_orders_of_a_status(ada: Visitor) -> None:
    wanted = [f"o-page-{number:03}" for number in range(53)]
    for order_id in wanted:
        await place(order_id, an_order())
        async with transaction() as session:
            row, _ = await locked(session, order_id)
            await record(session, row, StockShort(attempt=1, products=("prod-123",)), source="run")

    page = await ada.see("/ui/")
    (orders,) = page.all("section", aria_labelledby="orders")
    counts = {row[0]: row[1] for row in rows_of(orders, "How many stand where")}
    assert counts["out of stock"] == "53"

    first = await ada.see("/ui/orders?status=out_of_stock")
    (older,) = first.all("a", rel="next")
    second = await ada.see(older.attributes["href"])
    seen = [row[0] for page in (first, second) for row in rows_of(page, "Newest first")]
    assert seen == wanted[::-1]
    assert not second.all("a", rel="next")


async def test_the_overview_says_that_the_hub_is_in_recovery(ada: Visitor) -> None:
    await sql("UPDATE hub_identity SET restored_from = clock_timestamp(), recovery_began_at = clock_timestamp()")
    recovering = await ada.see("/ui/")
    await sql("UPDATE hub_identity SET restored_from = NULL, recovery_began_at = NULL")

    assert "in recovery since" in recovering.text
    assert not wanting(recovering)
    assert "in recovery" not in (await ada.see("/ui/")).text


async def test_what_cannot_be_shown_is_said_on_a_page(ada: Visitor) -> None:
    for path, status, words in (
        ("/ui/orders/o-nobody", 404, "there is no order o-nobody"),
        ("/ui/orders?status=nothing", 422, "no order has this status"),
        ("/ui/orders?cursor=abc", 422, "this cursor was not given out"),
        ("/ui/nowhere", 404, "Not Found"),
        ("/ui/orders/%3Cscript%3E", 404, "there is no order <script>"),
    ):
        page = await ada.see(path, status)
        assert words in page.text
        assert not wanting(page)


async def test_an_order_is_found_by_its_id_its_tracking_number_and_a_providers_id(shop: Shop, ada: Visitor) -> None:
    async with run_of_a_new_order() as order:
        label = await shop.until_labelled(order)
        mail = await shop.mail(order)

    for wanted in (order.id, label.tracking_number, label.label_id, mail.message_id):
        page = await ada.see(f"/ui/search?q={wanted}")
        assert page.all("h1")[0].text == f"Order {order.id}"


async def test_orders_are_found_by_whose_they_are_only_by_who_may_know_that(gateway: Gateway, ada: Visitor) -> None:
    mine = [await placed(customer={"email": "Find.Me@example.com", "name": "Grace"}) for _ in range(2)]
    async with Visitor(gateway.url) as reader:
        await reader.sign_in(await add_key("a reader", ("orders:read", "signups:read")))

        found = await ada.see("/ui/search?q=find.me@EXAMPLE.com")
        unknown = await reader.see("/ui/search?q=find.me@EXAMPLE.com")

    assert not wanting(found)
    assert all(order_id in found.text for order_id in mine)
    assert "Nothing that this key opens" in unknown.text
    assert not [order_id for order_id in mine if order_id in unknown.text]


async def test_an_orders_page_tells_its_whole_story_and_leads_to_its_runs_in_prefect(shop: Shop, ada: Visitor) -> None:
    run_id = str(uuid4())
    async with run(await placed(), run_id) as order:
        payment = await shop.until_paid(order)
        label = await shop.label(order, (await shop.quote(order)).rates[0].rate_id)
        await shop.mail(order)
        await shop.tell_team(order)
    await handled(payment_told("succeeded", order, payment.payment_id))

    page = await ada.see(f"/ui/orders/{order.id}")

    assert not wanting(page)
    facts = described(page)
    assert (facts["Amount"], facts["Tracking number"]) == ("100.00 USD", label.tracking_number)
    assert (facts["customer email"], facts["shipping city"]) == (order.request.customer.email, "San Francisco")
    tables = {one.all("caption")[0].text.partition(":")[0]: one.text for one in page.all("table")}
    assert payment.payment_id in tables["Money"]
    assert label.label_id in tables["Parcel"]
    assert "sendgrid: mail the customer" in tables["Messages"]
    assert "charged" in tables["Payment audit log"]
    (run_link,) = page.all("a", rel="noreferrer")
    assert run_link.attributes["href"] == f"{PREFECT}/runs/flow-run/{run_id}"
    timeline = page.all("ol", class_="timeline")[0].text
    for what in ("run 1 begins", "stripe: take the payment", "payment settled", "stripe told payment_intent.succeeded", "run 1 ends"):
        assert what in timeline


async def test_what_was_taken_back_stands_by_itself(shop: Shop, ada: Visitor) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        refund = await begin_undo(order, "no carrier takes the parcel")
        assert refund is not None
        refunded = await shop.refund(refund)

    page = await ada.see(f"/ui/orders/{order.id}")

    (row,) = rows_of(page, "Taken back: each step, and what came of it")
    assert (row[0], row[2], row[3], row[4]) == ("refund", "done", "100.00 USD", refunded.refund_id)


async def test_a_sign_up_and_a_release_have_their_pages_too(ada: Visitor) -> None:
    await enrol("s-page", SignupRequest.model_validate({**EXAMPLE_SIGNUP, "email": "Page@Example.com"}))
    release_id = await a_release()

    signup, release = await ada.see("/ui/signups/s-page"), await ada.see(f"/ui/releases/{release_id}")

    assert not wanting(signup) + wanting(release)
    assert described(signup)["email"] == "page@example.com"
    assert described(release)["repository"] == "example/shop"
    assert (await ada.see("/ui/search?q=PAGE@example.com")).all("h1")[0].text == "Signup s-page"


async def test_services_show_what_the_attempts_say(shop: Shop, ada: Visitor) -> None:
    await sql("UPDATE attempts SET started_at = started_at - interval '2 h', ended_at = ended_at - interval '2 h'")
    for card in ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"):
        async with run_of_a_new_order(paymentMethod=card) as order:
            if card == "pm_card_visa":
                await shop.until_paid(order)
            else:
                with pytest.raises(Refused):
                    await shop.until_paid(order)
    await sql(
        "UPDATE attempts SET outcome = 'unknown', ended_at = started_at + interval '1500 ms' WHERE effect_key = :key",
        key=payment_effect(order).key,
    )

    page = await ada.see("/ui/services")

    assert not wanting(page)
    (stripe,) = page.all("section", aria_labelledby="stripe")
    facts = described(stripe)
    assert (facts["Calls"], facts["Went well"]) == ("3", "66.7 %")
    assert facts["p95"] in ("1.4 s", "1.5 s")
    assert stripe.all("polyline", class_="p95")
    (twilio,) = page.all("section", aria_labelledby="twilio")
    assert (described(twilio)["Calls"], twilio.all("polyline")) == ("0", [])


async def test_every_page_is_for_everybody_and_guarded(gateway: Gateway, ada: Visitor) -> None:
    for path in (*PAGES, "/ui/sign-in", "/ui/nowhere"):
        answer = await ada.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert {"default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} <= set(policy.split("; ")), path
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
        page = await ada.see(path, answer.status_code)
        assert not wanting(page), path
    style = await ada.http.get("/ui/style.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_stands_in_names_addresses_and_words_is_shown_as_text(shop: Shop, gateway: Gateway, ada: Visitor, what: str) -> None:
    bad = HOSTILE[what]
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
    request = (await row_of(order.id)).request
    request["customer"]["name"] = request["shipping"]["street"] = request["items"][0]["productId"] = bad
    await sql("UPDATE orders SET request = :request WHERE id = :id", request=json.dumps(request), id=order.id)
    await sql("UPDATE orders SET attention = :bad, message = :bad, tracking_number = :bad WHERE id = :id", bad=bad, id=order.id)
    for table, column in (("effects", "reference"), ("effects", "code"), ("effects", "delivery")):
        await sql(f"UPDATE {table} SET {column} = :bad WHERE subject_id = :id", bad=bad, id=order.id)  # noqa: S608 - the names stand above
    await sql(
        "UPDATE attempts SET provider_text = :bad, provider_request_id = :bad WHERE effect_key LIKE :key", bad=bad, key=f"order:{order.id}%"
    )
    await sql("UPDATE runs SET run_id = :bad, ended_as = :bad WHERE subject_id = :id", bad=bad, id=order.id)
    broken = told("stripe", "payment_intent.succeeded", {"data": {}})
    await handled(broken)
    number = (await notice_of(broken)).id
    await sql("UPDATE notices SET outcome = :bad, kind = :bad WHERE id = :id", bad=bad, id=number)
    await ada.press(await ada.see("/ui/services"), "Pause shippo", because=bad[:300])
    words = " ".join(bad.split())

    for path, shows in (
        (f"/ui/orders/{order.id}", 8),
        ("/ui/orders", 1),
        ("/ui/attention", 2),
        ("/ui/services", 2),
        (f"/ui/search?q=%00{quote(bad[:250])}", 1),
    ):
        answer = await ada.http.get(path)
        assert "<script" not in answer.text.lower()
        page = await ada.see(path)
        assert not wanting(page), path
        assert not [one for one in page.all("b") if one.text == "Bold"]
        assert page.text.count(words if "search" not in path else words[:200]) >= shows, path
        isolated = "".join(one.text for one in page.all("bdi"))
        assert words[:80] in isolated, path
    async with gateway.with_key(await add_key(f"shop {what}")) as http:
        for path in (f"/orders/{order.id}", f"/orders/{order.id}/timeline", "/orders"):
            told_as = await http.get(path)
            assert (told_as.status_code, told_as.headers["content-type"]) == (200, "application/json")
        assert (await http.get(f"/orders/{order.id}")).json()["message"] == bad
    assert described(await ada.see(f"/ui/orders/{order.id}"))["customer name"].endswith(words)
    await ada.press(await ada.see("/ui/services"), "Resume shippo")
    await ada.press(await ada.see("/ui/services"), f"Replay notice {number}")
    await sql("UPDATE orders SET attention = NULL WHERE id = :id", id=order.id)
