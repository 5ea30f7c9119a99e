"""An order's life after our last call: what providers call back about moves it on, through the real door, automation and worker."""

from __future__ import annotations

from functools import partial

import pytest

from tests.journeys.hub_under_test import Hub, until

pytestmark = pytest.mark.timeout(240)

THREE_D_SECURE = "pm_card_threeDSecure2Required"
REACHABLE = {"email": "ada@example.com", "name": "Ada Lovelace", "phone": "+12025550123"}


async def test_a_parcel_is_followed_from_the_warehouse_to_the_customers_door(hub: Hub) -> None:
    await hub.place("o-parcel")
    number = (await hub.until_status("o-parcel", "confirmed"))["trackingNumber"]

    await hub.sandbox.world("events/custom", type="packed", data={"orderId": "o-parcel"})
    await hub.until_order("o-parcel", lambda order: order["status"] == "packed")
    await hub.sandbox.world("events/custom", type="picked_up", data={"orderId": "o-parcel"})
    await hub.until_status("o-parcel", "in_transit")
    await hub.sandbox.world(f"parcels/{number}", status="TRANSIT")
    await hub.sandbox.world(f"parcels/{number}", status="DELIVERED")
    await hub.until_status("o-parcel", "delivered")

    assert await mails(hub, "o-parcel") == ["mail", "shipped-mail", "delivered-mail"]


async def test_of_a_parcel_that_is_delivered_before_anybody_looks_the_customer_hears_only_that(hub: Hub) -> None:
    """The carrier's whole way is told while the label's answer is still on its way."""
    await hub.sandbox.fault("shippo", "buy label", "delay", when="after", seconds=4, match={"subject": "o-fast-parcel"})
    await hub.place("o-fast-parcel")
    await hub.sandbox.until_in_flight("shippo", "buy label", worked=True, seconds=60)
    for kind in ("picked_up", "delivered"):
        await hub.sandbox.world("events/custom", type=kind, data={"orderId": "o-fast-parcel"})

    await hub.until_status("o-fast-parcel", "delivered")

    assert await mails(hub, "o-fast-parcel") == ["mail", "delivered-mail"]


async def test_the_customer_of_a_disputed_order_still_hears_that_it_is_on_its_way_and_that_it_arrived(hub: Hub) -> None:
    await hub.place("o-disputed-parcel")
    order = await hub.until_status("o-disputed-parcel", "confirmed")
    await hub.sandbox.world(f"stripe/payments/{order['chargeId']}/dispute")
    await hub.until_status("o-disputed-parcel", "disputed")

    for status, told in (("TRANSIT", ["mail", "shipped-mail"]), ("DELIVERED", ["mail", "shipped-mail", "delivered-mail"])):
        await hub.sandbox.world(f"parcels/{order['trackingNumber']}", status=status)
        await until(partial(have_been_sent, hub, "o-disputed-parcel", told), seconds=30, what=told.__repr__)

    assert (await hub.order("o-disputed-parcel"))["status"] == "disputed"


async def test_what_a_run_is_told_while_it_works_is_seen_to_as_soon_as_it_lets_go_without_the_janitor(hub: Hub) -> None:
    async with hub.paused("sweep/hub"):
        await hub.sandbox.fault("slack", "post message", "delay", seconds=3, match={"subject": "o-quick-parcel"})
        await hub.place("o-quick-parcel")
        number = (await hub.until_order("o-quick-parcel", lambda order: order["trackingNumber"] is not None))["trackingNumber"]
        await hub.sandbox.world(f"parcels/{number}", status="DELIVERED")

        async def told() -> bool:
            return (await hub.seen("o-quick-parcel"))["sendgrid.mail"] == 2

        await until(told, seconds=30, what=lambda: "the mail about the delivery")


async def test_a_customer_who_finishes_3_d_secure_moves_the_order_on_without_anybody_else(hub: Hub) -> None:
    await hub.place("o-3ds-webhook", paymentMethod=THREE_D_SECURE)
    waiting = await hub.until_status("o-3ds-webhook", "awaiting_payment")
    assert waiting["nextAction"]["type"]

    await hub.sandbox.customer_approves(await payment_of(hub, "o-3ds-webhook"))

    order = await hub.until_status("o-3ds-webhook", "confirmed")
    assert order["nextAction"] is None
    assert (await hub.seen("o-3ds-webhook"))["stripe.charge"] == 1


async def test_a_customer_who_fails_3_d_secure_leaves_a_failed_payment_and_the_goods_on_the_shelf(hub: Hub) -> None:
    await hub.place("o-3ds-no", paymentMethod=THREE_D_SECURE)
    await hub.until_status("o-3ds-no", "awaiting_payment")

    await hub.sandbox.customer_fails(await payment_of(hub, "o-3ds-no"))

    await hub.until_status("o-3ds-no", "payment_failed")
    async with hub.database() as database:
        assert await database.fetchval("SELECT stock FROM orders WHERE id = 'o-3ds-no'") == "released"


async def test_a_payment_that_nobody_finishes_is_called_off(hub: Hub) -> None:
    await hub.place("o-expired", paymentMethod=THREE_D_SECURE)
    await hub.until_status("o-expired", "awaiting_payment")
    async with hub.database() as database:
        await database.execute("UPDATE facts SET at = at - interval '25 hours' WHERE subject_id = 'o-expired'")

    await hub.run({}, deployment="sweep/hub")

    order = await hub.until_status("o-expired", "payment_failed")
    assert "canceled" in order["message"]
    assert (await hub.seen("o-expired"))["stripe.charge"] == 0


async def test_a_bounced_mail_is_followed_by_a_text_where_there_is_a_phone(hub: Hub) -> None:
    await hub.place("o-bounced", customer={**REACHABLE, "email": "bounce@example.com"})
    await hub.until_status("o-bounced", "confirmed")

    async def texted() -> bool:
        return (await hub.seen("o-bounced"))["twilio.text"] == 1

    await until(texted, seconds=30, what=lambda: "a text")
    assert (await hub.seen("o-bounced"))["sendgrid.mail"] == 1


async def test_a_refund_made_by_hand_at_the_provider_is_noticed(hub: Hub) -> None:
    await hub.place("o-by-hand")
    charge = (await hub.until_status("o-by-hand", "confirmed"))["chargeId"]

    await hub.sandbox.world(f"stripe/payments/{charge}/refund")

    await hub.until_status("o-by-hand", "refunded")


async def test_a_dispute_needs_attention_and_the_team_is_told_once(hub: Hub) -> None:
    await hub.place("o-disputed")
    charge = (await hub.until_status("o-disputed", "confirmed"))["chargeId"]

    await hub.sandbox.world(f"stripe/payments/{charge}/dispute")

    await hub.until_status("o-disputed", "disputed")
    assert (await hub.seen("o-disputed"))["slack.message"] == 2, "confirmed, and disputed"


async def test_a_returned_parcel_is_seen(hub: Hub) -> None:
    await hub.place("o-returned")
    number = (await hub.until_status("o-returned", "confirmed"))["trackingNumber"]

    await hub.sandbox.world(f"parcels/{number}", status="RETURNED")

    await hub.until_status("o-returned", "returned")


async def mails(hub: Hub, order_id: str) -> list[str]:
    """The steps whose mails SendGrid has taken, in the order in which it did; as many as it says itself."""
    async with hub.database() as database:
        sent = "SELECT step FROM effects WHERE subject_id = $1 AND provider = 'sendgrid' AND state = 'done' ORDER BY settled_at"
        steps = [row["step"] for row in await database.fetch(sent, order_id)]
    assert (await hub.seen(order_id))["sendgrid.mail"] == len(steps)
    return steps


async def have_been_sent(hub: Hub, order_id: str, steps: list[str]) -> bool:
    async with hub.database() as database:
        open_ones = "SELECT count(*) FROM effects WHERE subject_id = $1 AND provider = 'sendgrid' AND state <> 'done'"
        return not await database.fetchval(open_ones, order_id) and await mails(hub, order_id) == steps


async def payment_of(hub: Hub, order_id: str) -> str:
    async with hub.database() as database:
        return str(await database.fetchval("SELECT payment_id FROM orders WHERE id = $1", order_id))
