"""What becomes of an order, seen from outside: every way in, every outcome, and what the providers counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.contract.pages_kit import Visitor, notice_on
from tests.journeys.hub_under_test import CONFIRMED, UNDONE, Hub, an_order, until

pytestmark = pytest.mark.timeout(240)


async def test_an_order_is_charged_labelled_announced_and_confirmed(hub: Hub) -> None:
    answer = await hub.place("o-plain")

    order = await hub.until_status("o-plain", "confirmed")
    assert answer.status_code == 201
    assert order["chargeId"].startswith("ch_")
    assert order["trackingNumber"]
    assert await hub.seen("o-plain") == CONFIRMED
    about, told = {"any_resource": {"id": ["hub.order.o-plain"]}, "event": {"prefix": ["hub.order."]}, "order": "ASC"}, list[str]()

    async def prefect_heard() -> bool:
        answer = (await hub.prefect.post("/events/filter", json={"filter": about})).raise_for_status()
        told[:] = [event["event"] for event in answer.json()["events"]]
        return "hub.order.confirmed" in told

    await until(prefect_heard, seconds=30, what=lambda: f"the event of the confirmation, not only {told}")
    assert told[:2] == ["hub.order.paid", "hub.order.confirmed"]


async def test_every_door_leads_to_the_same_order(hub: Hub) -> None:
    """The command line of Prefect, its REST API with the whole order, the gateway, and the `hub` command agree."""
    await hub.place("o-doors")
    by_api, by_command = await asyncio.gather(
        hub.run({"order_id": "o-api", "order": an_order()}),
        hub.command("prefect", "deployment", "run", "process-order/hub", "--param", 'order_id="o-doors"', "--watch"),
    )
    shown = await hub.command("hub", "order", "show", "o-doors", "--json")

    assert by_api["state"]["name"] == "Confirmed"
    assert "Confirmed" in by_command or "Completed" in by_command or "InHand" in by_command
    order = await hub.until_status("o-doors", "confirmed")
    assert order["trackingNumber"] in await hub.command("hub", "order", "show", "o-doors", "--json")
    assert '"orderId": "o-doors"' in shown
    assert await hub.seen("o-doors") == CONFIRMED
    assert await hub.seen("o-api") == CONFIRMED


async def test_the_same_order_twice_at_once_is_charged_once(hub: Hub) -> None:
    first, second = await asyncio.gather(*(hub.run({"order_id": "o-twice", "order": an_order()}) for _ in range(2)))

    assert {first["state"]["type"], second["state"]["type"]} == {"COMPLETED"}
    assert {first["state"]["name"], second["state"]["name"]} <= {"Confirmed", "InHand"}
    assert await hub.seen("o-twice") == CONFIRMED


async def test_an_unchanged_rerun_remembers_and_a_changed_epoch_asks_the_ledger(hub: Hub) -> None:
    await hub.place("o-again")
    await hub.until_status("o-again", "confirmed")

    rerun = await hub.run({"order_id": "o-again"})
    async with hub.database() as database:
        await database.execute("UPDATE orders SET epoch = epoch + 1 WHERE id = 'o-again'")
    changed = await hub.run({"order_id": "o-again"})

    remembered = await hub.task_states(rerun["id"], at_least=6)
    asked = await hub.task_states(changed["id"], at_least=6)
    assert set(remembered.values()) == {"Cached"}
    assert set(asked.values()) == {"Completed"}
    assert await hub.seen("o-again") == CONFIRMED


async def test_a_declined_card_stops_before_the_label_and_another_card_is_a_new_attempt(hub: Hub) -> None:
    await hub.place("o-declined", paymentMethod="pm_card_chargeDeclined")
    declined = await hub.until_status("o-declined", "payment_failed")
    before = await hub.seen("o-declined")

    answer = await hub.gateway.post("/orders/o-declined/attempts", json={"attempt": 2, "paymentMethod": "pm_card_visa"})
    again = await hub.gateway.post("/orders/o-declined/attempts", json={"attempt": 2, "paymentMethod": "pm_card_visa"})
    confirmed = await hub.until_status("o-declined", "confirmed")

    assert "generic_decline" in declined["message"]
    assert before == Counter({"slack.message": 1})
    assert (answer.status_code, again.status_code) == (202, 202)
    assert confirmed["attempt"] == 2
    shown = Counter({"slack.message_updated": 1, "stripe.payment_canceled": 1})
    assert await hub.seen("o-declined") - before == CONFIRMED - Counter({"slack.message": 1}) + shown


async def test_a_refused_label_gives_the_money_and_the_goods_back(hub: Hub) -> None:
    await hub.command("hub", "stock", "set", "prod-returned", "5")
    goods = [{"productId": "prod-returned", "quantity": 2, "price": 2500}]
    await hub.place("o-no-label", items=goods, shipping={**an_order()["shipping"], "zip": "00000"})

    await hub.until_status("o-no-label", "refunded")
    assert await hub.seen("o-no-label") == Counter({"stripe.charge": 1, "stripe.refund": 1, "sendgrid.mail": 1, "slack.message": 1})
    assert "prod-returned: 5 on the shelf" in await hub.command("hub", "stock", "list")


async def test_the_next_carrier_is_asked_and_the_label_of_a_cancelled_order_goes_back(hub: Hub) -> None:
    await hub.place("o-next-carrier", shipping={**an_order()["shipping"], "zip": "00001"})
    await hub.until_status("o-next-carrier", "confirmed")
    before = await hub.seen("o-next-carrier")

    answer = await hub.gateway.post("/orders/o-next-carrier/cancel", json={})
    await hub.until_status("o-next-carrier", "refunded")

    assert answer.status_code == 202
    assert before == CONFIRMED
    assert await hub.seen("o-next-carrier") - before == UNDONE


async def test_missing_goods_are_noticed_before_any_charge(hub: Hub) -> None:
    await hub.command("hub", "stock", "set", "prod-rare", "1")
    await hub.place("o-short", items=[{"productId": "prod-rare", "quantity": 2, "price": 100}])

    order = await hub.until_status("o-short", "out_of_stock")
    assert "prod-rare" in order["message"]
    assert await hub.seen("o-short") == Counter()


async def test_a_payment_that_needs_the_customer_says_what_to_do_and_goes_on_when_it_was_done(hub: Hub) -> None:
    await hub.place("o-3ds", paymentMethod="pm_card_authenticationRequired")

    order = await hub.until_status("o-3ds", "awaiting_payment")
    assert order["nextAction"]["type"]
    assert await hub.seen("o-3ds") == Counter()

    async with hub.database() as database:
        payment_id = await database.fetchval("SELECT payment_id FROM orders WHERE id = 'o-3ds'")
    await hub.sandbox.customer_approves(payment_id)
    await hub.gateway.post("/orders/o-3ds/resume")

    await hub.until_status("o-3ds", "confirmed")
    assert await hub.seen("o-3ds") == CONFIRMED


async def test_a_mail_that_cannot_be_sent_now_is_sent_later_and_the_order_is_confirmed_meanwhile(hub: Hub) -> None:
    """SendGrid asks for more patience than a run has: its gate closes for everybody, and opens by itself."""
    await hub.sandbox.fault("sendgrid", "send mail", "status", status=429, retry_after=17, match={"subject": "o-courtesy"})
    await hub.place("o-courtesy")
    waiting = await hub.until_order("o-courtesy", lambda order: order["status"] == "confirmed" and order["resumeAt"] is not None)
    seen = await hub.seen("o-courtesy")

    done = await hub.until_status("o-courtesy", "confirmed")

    assert "not told yet: mail" in waiting["message"]
    assert seen["sendgrid.mail"] == 0
    assert done["message"] == "confirmed"
    assert await hub.seen("o-courtesy") == CONFIRMED


async def test_a_revoked_carrier_key_parks_the_order_and_refunds_nobody(hub: Hub) -> None:
    await hub.sandbox.revoke("shippo", hub.key("shippo"))
    await hub.place("o-revoked")
    parked = await hub.until_order("o-revoked", lambda order: order["status"] == "paid" and order["resumeAt"] is not None)
    seen = await hub.seen("o-revoked")

    await hub.sandbox.restore("shippo", hub.key("shippo"))
    await hub.until_status("o-revoked", "confirmed", seconds=90)

    assert parked["chargeId"]
    assert seen == Counter({"stripe.charge": 1})
    assert await hub.seen("o-revoked") == CONFIRMED


@pytest.mark.parametrize("trouble", ["idempotency_error", "conflict"])
async def test_a_quarrel_about_the_idempotency_key_is_resolved_and_no_decline(hub: Hub, trouble: str) -> None:
    order_id = f"o-{trouble.replace('_', '-')}"
    await hub.sandbox.fault("stripe", "create payment", trouble, when="after", match={"subject": order_id})
    await hub.place(order_id)

    await hub.until_status(order_id, "confirmed", seconds=90)
    assert await hub.seen(order_id) == CONFIRMED


async def test_a_wrong_order_is_a_failed_run_that_says_what_to_fix_and_stores_nothing(hub: Hub) -> None:
    run = await hub.run({"order_id": "o-unheard-of"})

    assert run["state"]["type"] == "FAILED"
    assert "there is no order o-unheard-of" in run["state"]["message"]
    assert (await hub.gateway.get("/orders/o-unheard-of")).status_code == 404


async def test_prefect_refuses_a_card_number_before_it_is_stored_anywhere(hub: Hub) -> None:
    found = (await hub.prefect.get("/deployments/name/process-order/hub")).json()
    parameters = {"order_id": "o-card", "order": an_order(paymentMethod="4242 4242 4242 4242")}

    answer = await hub.prefect.post(f"/deployments/{found['id']}/create_flow_run", json={"parameters": parameters})

    assert answer.status_code == 409
    assert "order.paymentMethod" in answer.text
    assert (await hub.gateway.get("/orders/o-card")).status_code == 404


async def test_what_was_changed_at_a_provider_is_found_by_reconciling_and_the_team_and_a_person_hear_of_it(hub: Hub) -> None:
    since = datetime.now(UTC)
    await hub.place("o-altered")
    await hub.until_status("o-altered", "confirmed")
    async with hub.database() as database:
        payment_id = await database.fetchval("SELECT payment_id FROM orders WHERE id = 'o-altered'")
    await hub.sandbox.tamper("stripe", "payment_intent", payment_id, amount=9_000, amount_received=9_000)

    said = await hub.command(
        "hub", "reconcile", "--since", f"{since:%Y-%m-%dT%H:%M:%S%z}", "--until", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S%z}"
    )

    assert "another amount" in said
    assert payment_id in said
    await hub.until_status("o-altered", "needs_attention")
    heads = said.rsplit("heads ", 1)[1].strip()

    async def team_knows() -> bool:
        told = [message["text"] for message in await hub.sandbox.objects("slack", "message")]
        return len([text for text in told if text.startswith("Reconciliation") and heads in text]) == 1

    await until(team_knows, seconds=30, what=lambda: "the team to be told of the reconciliation")


async def test_a_person_tries_a_declined_order_anew_on_its_page_and_follows_its_runs_into_prefect(hub: Hub) -> None:
    await hub.place("o-paged", paymentMethod="pm_card_chargeDeclined")
    await hub.until_status("o-paged", "payment_failed")
    async with Visitor(hub.stack.gateway_url) as ada:
        await ada.sign_in(hub.gateway.headers["Authorization"].removeprefix("Bearer "))

        after = await ada.press(await ada.see("/ui/orders/o-paged"), "Try anew", payment_method="pm_card_visa")

        assert notice_on(after) == "Attempt 2 of order o-paged begins."
        await hub.until_status("o-paged", "confirmed")
        links = [one.attributes["href"] for one in (await ada.see("/ui/orders/o-paged")).all("a", rel="noreferrer")]
    names = [(await hub.prefect.get(f"/flow_runs/{link.rpartition('/')[2]}")).raise_for_status().json()["name"] for link in links]
    assert len(names) >= 2
    assert set(names) == {"order o-paged"}
    assert all(link.startswith(f"{hub.stack.prefect_url}/runs/flow-run/") for link in links)
    assert (await hub.seen("o-paged"))["stripe.charge"] == 1
