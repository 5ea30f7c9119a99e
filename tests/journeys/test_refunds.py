"""Money back and cancelled orders, driven as people do it: by the API, the command, and a form in the Prefect UI."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from functools import partial
from typing import Any

import pytest

from hub.settings import Settings
from tests.journeys.hub_under_test import APPROVER, CONFIRMED, SECOND_APPROVER, UNDONE, Hub, until

pytestmark = pytest.mark.timeout(240)

DEAR = [{"productId": "prod-dear", "quantity": 2, "price": 30_000}]


async def test_two_parts_go_back_and_more_than_is_left_is_too_much(hub: Hub) -> None:
    await hub.place("o-parts")
    await hub.until_status("o-parts", "confirmed")

    for refund_id in ("r-1", "r-2"):
        answer = await hub.gateway.post("/orders/o-parts/refunds", json={"refundId": refund_id, "amount": 4_000, "reason": "a scratch"})
        assert answer.status_code == 202
        await until_refund(hub, "o-parts", refund_id, "refunded")
    too_much = await hub.gateway.post("/orders/o-parts/refunds", json={"refundId": "r-3", "amount": 4_000})

    assert (too_much.status_code, "20.00 USD are left" in too_much.json()["detail"]) == (409, True)
    await hub.until_status("o-parts", "confirmed")
    assert await hub.seen("o-parts") == CONFIRMED + Counter({"stripe.refund": 2, "sendgrid.mail": 2})


async def test_a_dear_refund_goes_back_once_somebody_has_approved_it_in_the_form(hub: Hub) -> None:
    await hub.place("o-dear", items=DEAR)
    await hub.until_status("o-dear", "confirmed")

    said = await hub.command("hub", "order", "refund", "o-dear", "--amount", "50000", "--reason", "a dent", "--refund-id", "r-1")
    run = await until_it_asks(hub, "refund r-1 of o-dear")
    before = await hub.seen("o-dear")
    answer = await hub.prefect.post(f"/flow_runs/{run['id']}/resume", json={"run_input": {"approve": True}})
    over = await hub.until_over(run["id"])

    assert "refund r-1 of 500.00 USD is waiting" in said
    assert before["stripe.refund"] == 0
    assert answer.json()["status"] == "ACCEPT"
    assert (over["state"]["name"], "unattributed (Prefect UI)" in over["state"]["message"]) == ("Refunded", True)
    assert (await until_refund(hub, "o-dear", "r-1", "refunded"))["decidedBy"] == "unattributed (Prefect UI)"
    assert (await hub.seen("o-dear"))["stripe.refund"] == 1
    assert "refund decided" in await hub.command("hub", "order", "explain", "o-dear")


async def test_a_dear_refund_is_approved_by_a_button_in_slack_and_the_form_is_not_needed_any_more(hub: Hub) -> None:
    await hub.place("o-button", items=DEAR)
    await hub.until_status("o-button", "confirmed")
    await hub.gateway.post("/orders/o-button/refunds", json={"refundId": "r-1", "amount": 50_000})
    run = await until_it_asks(hub, "refund r-1 of o-button")

    await press(hub, "approve", APPROVER, below=r"order o-button: .+ asks to give")

    assert (await until_refund(hub, "o-button", "r-1", "refunded"))["decidedBy"] == APPROVER
    assert (await hub.until_over(run["id"]))["state"]["name"] == "Refunded"
    assert (await hub.seen("o-button"))["stripe.refund"] == 1
    assert (await hub.seen("o-button"))["slack.message_updated"] == 1


async def test_a_refund_asked_for_by_a_button_is_approved_by_another_person_and_the_orders_message_shows_it(hub: Hub) -> None:
    await hub.place("o-pressed")
    await hub.until_status("o-pressed", "confirmed")

    await press(hub, "refund", APPROVER, below="order o-pressed, .+confirmed")
    await until(partial(asks_in_slack, hub, "o-pressed"), seconds=30, what=lambda: "the question")
    await press(hub, "approve", APPROVER, below="order o-pressed: .+ asks to give")
    await press(hub, "approve", SECOND_APPROVER, below="order o-pressed: .+ asks to give")
    await hub.until_status("o-pressed", "refunded")

    said = [one for one in await hub.sandbox.objects("slack", "message") if "o-pressed" in one["text"]]
    (first,) = [one for one in said if one["ts"] == one.get("thread_ts")]
    assert "*money back*" in first["text"]
    assert {one["thread_ts"] for one in said} == {first["ts"]}
    assert (await hub.seen("o-pressed"))["stripe.refund"] == 1


async def test_an_order_is_cancelled_before_it_is_paid_and_after_it_was_confirmed(hub: Hub) -> None:
    await asyncio.gather(hub.place("o-3ds-off", paymentMethod="pm_card_authenticationRequired"), hub.place("o-regretted"))
    await hub.until_status("o-3ds-off", "awaiting_payment")
    await hub.until_status("o-regretted", "confirmed")

    said = await hub.command("hub", "order", "cancel", "o-regretted", "--reason", "a change of mind")
    await hub.gateway.post("/orders/o-3ds-off/cancel")
    await hub.until_status("o-3ds-off", "cancelled")
    await hub.until_status("o-regretted", "refunded")

    assert "being undone: the customer cancelled it: a change of mind" in said
    assert await hub.seen("o-3ds-off") == Counter({"stripe.payment_canceled": 1, "slack.message": 1})
    assert await hub.seen("o-regretted") == CONFIRMED + UNDONE


async def asks_in_slack(hub: Hub, order_id: str) -> bool:
    return any(f"order {order_id}: <@" in one["text"] for one in await hub.sandbox.objects("slack", "message"))


async def press(hub: Hub, action: str, person: str, *, below: str) -> None:
    """Somebody presses a button below the one message of which ``below`` matches a part."""
    (message,) = [one for one in await hub.sandbox.objects("slack", "message") if re.search(below, one["text"])]
    place = {"channel": Settings.model_fields["team_channel"].default, "ts": message["ts"]}
    await hub.sandbox.world("slack/actions", **place, action_id=action, user=person.removeprefix("slack:"))


async def until_refund(hub: Hub, order_id: str, refund_id: str, status: str) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    async def there() -> bool:
        latest.update((await hub.gateway.get(f"/orders/{order_id}/refunds/{refund_id}")).raise_for_status().json())
        return bool(latest["status"] == status)

    await until(there, seconds=60, what=lambda: f"{status}, but {latest}")
    return latest


async def until_it_asks(hub: Hub, run_name: str) -> dict[str, Any]:
    """Return the run of that name once it shows its form."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        wanted = {"flow_runs": {"name": {"any_": [run_name]}, "state": {"name": {"any_": ["Suspended"]}}}}
        found[:] = (await hub.prefect.post("/flow_runs/filter", json=wanted)).raise_for_status().json()
        return bool(found)

    await until(there, seconds=60, what=lambda: f"{run_name} to be suspended")
    return found[0]
