"""After an order is confirmed: the warehouse is told once, the carrier is sent for, and whoever takes too long is told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest_asyncio

from hub.cancelling import CancelWish, cancel
from hub.facets import Status
from hub.intake import go_on
from hub.overdue import call_for_overdue_parcels
from hub.tables import OrderRow
from tests.contract.ledger_kit import Shop, changed, facts_of, placed, row_of, sql
from tests.contract.notice_kit import handled, warehouse_told
from tests.contract.process_kit import accounts_of, goes_on, rests

TWO_DAYS = 172_800
TICKET, CANCELLED, PICKUP = "warehouse.pick_ticket", "warehouse.pick_ticket_cancelled", "shippo.pickup"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    async with changed(pick_tickets="true"):
        with accounts_of(shop):
            yield shop


async def seen(shop: Shop, order_id: str) -> Counter[str]:
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await shop.sandbox.effects(subject=order_id))


async def confirmed() -> str:
    order_id = await placed()
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def told(order_id: str, kind: str) -> OrderRow:
    await handled(warehouse_told(kind, order_id))
    return await rests(order_id)


async def time_passes(order_id: str, seconds: float) -> None:
    await sql("UPDATE orders SET waits_since = waits_since - make_interval(secs => :s) WHERE id = :id", s=seconds, id=order_id)


async def said_to_team(shop: Shop, order_id: str) -> list[str]:
    return [message["text"] for message in await shop.sandbox.objects("slack", "message") if order_id in message["text"]]


async def test_the_warehouse_is_told_once_what_goes_into_the_parcel_of_a_confirmed_order(shop: Shop) -> None:
    order_id = await confirmed()
    await go_on_by_itself(order_id)

    assert (await seen(shop, order_id))[TICKET] == 1
    (ticket,) = await shop.sandbox.objects("warehouse", "pick_ticket")
    row = await row_of(order_id)
    assert (ticket["orderId"], ticket["trackingNumber"]) == (order_id, row.tracking_number)
    assert ticket["lines"] == [{"productId": item["productId"], "quantity": item["quantity"]} for item in row.request["items"]]
    assert not [word for word in ("name", "email", "street") if word in ticket], "whom it goes to stands on the label"


async def go_on_by_itself(order_id: str) -> None:
    await sql("UPDATE orders SET resume_at = clock_timestamp() WHERE id = :id", id=order_id)
    await rests(order_id)


async def test_nobody_is_told_where_the_warehouse_knows_by_other_ways(shop: Shop) -> None:
    async with changed(pick_tickets="false"):
        order_id = await confirmed()
        await told(order_id, "packed")

    assert not {TICKET, PICKUP} & set(await seen(shop, order_id))
    assert await call_for_overdue_parcels() == []


async def test_a_ticket_whose_answer_was_lost_is_one_ticket(shop: Shop) -> None:
    order_id = await placed()
    await shop.sandbox.fault("warehouse", "take pick ticket", "drop", when="after")
    await goes_on(order_id)
    assert (await row_of(order_id)).status == Status.CONFIRMED, "the customer is not kept waiting for the warehouse"

    await rests(order_id)

    assert (await seen(shop, order_id))[TICKET] == 1
    assert (await row_of(order_id)).waits_since is not None


async def test_what_the_warehouse_does_not_have_is_for_a_person_and_nothing_is_undone(shop: Shop) -> None:
    order_id = await placed(items=[{"productId": "unheard-of", "quantity": 1, "price": 5_000}])
    row = await rests(order_id)

    assert row.status == Status.NEEDS_ATTENTION
    assert "the warehouse does not pack the parcel (unknown_product)" in row.message
    assert (row.hold, row.payment) == ("none", "paid")
    assert [text for text in await said_to_team(shop, order_id) if "the warehouse does not pack the parcel" in text]


async def test_the_carrier_is_sent_for_a_packed_parcel_once_and_the_customer_hears_when_it_has_it(shop: Shop) -> None:
    order_id = await confirmed()

    for _ in range(2):
        assert (await told(order_id, "packed")).status == Status.PACKED
    (pickup,) = await shop.sandbox.objects("shippo", "pickup")
    assert pickup["metadata"].endswith(f":order:{order_id}:pickup:1")
    assert pickup["location"]["address"]["street1"] == "965 Mission St"
    before = await seen(shop, order_id)
    assert before[PICKUP] == 1

    assert (await told(order_id, "picked_up")).status == Status.IN_TRANSIT
    assert await seen(shop, order_id) - before == Counter({"sendgrid.mail": 1, "slack.message_updated": 1})
    assert (await row_of(order_id)).waits_since is None


async def test_packed_while_the_warehouse_is_being_told_the_carrier_is_sent_for_all_the_same(shop: Shop) -> None:
    order_id = await placed()
    await shop.sandbox.fault("warehouse", "take pick ticket", "drop", when="after")
    await goes_on(order_id)

    await told(order_id, "packed")

    assert (await seen(shop, order_id))[PICKUP] == 1


async def test_a_parcel_that_has_left_is_not_sent_for(shop: Shop) -> None:
    order_id = await confirmed()
    await handled(warehouse_told("packed", order_id), warehouse_told("picked_up", order_id))

    assert (await rests(order_id)).status == Status.IN_TRANSIT
    assert (await seen(shop, order_id))[PICKUP] == 0


async def test_a_carrier_that_does_not_come_is_for_a_person(shop: Shop) -> None:
    order_id = await confirmed()
    await shop.sandbox.fault("shippo", "schedule pickup", "status", status=400, body={"transactions": ["not eligible"]})

    row = await told(order_id, "packed")

    assert (row.status, row.parcel, row.hold) == (Status.NEEDS_ATTENTION, "packed", "none")
    assert "the carrier does not come for the parcel (pickup_not_accepted)" in row.message
    assert (await shop.shippo.check()).startswith("Shippo accepts"), "labels are sold all the same"


async def test_whoever_does_not_pack_in_time_is_told_of_once_and_nothing_is_undone(shop: Shop) -> None:
    order_id = await confirmed()
    await time_passes(order_id, TWO_DAYS - 60)
    assert await call_for_overdue_parcels() == []

    await time_passes(order_id, 120)
    assert await call_for_overdue_parcels() == [order_id]
    assert await call_for_overdue_parcels() == []
    row = await rests(order_id)

    assert (row.status, row.hold) == (Status.NEEDS_ATTENTION, "none")
    assert "the warehouse has not packed the parcel in time" in row.message
    assert len([text for text in await said_to_team(shop, order_id) if "has not packed the parcel in time" in text]) == 1
    await go_on(order_id)
    assert (await rests(order_id)).status == Status.CONFIRMED
    assert await call_for_overdue_parcels() == []


async def test_whoever_does_not_pick_up_in_time_is_told_of_too(shop: Shop) -> None:
    order_id = await confirmed()
    await time_passes(order_id, TWO_DAYS + 60)
    await told(order_id, "packed")
    assert await call_for_overdue_parcels() == [], "the time begins anew with each who has to move it"

    await time_passes(order_id, TWO_DAYS + 60)
    assert await call_for_overdue_parcels() == [order_id]
    assert "nobody has picked the packed parcel up in time" in (await rests(order_id)).message


async def test_an_order_that_is_undone_has_its_ticket_cancelled_also_when_its_answer_was_lost(shop: Shop) -> None:
    order_id = await placed()
    await shop.sandbox.fault("warehouse", "take pick ticket", "drop", when="after")
    await goes_on(order_id)

    await cancel(order_id, CancelWish(), by="shop")
    row = await rests(order_id)

    assert row.status == Status.REFUNDED
    happened = await seen(shop, order_id)
    assert (happened[TICKET], happened[CANCELLED]) == (1, 1)


async def test_a_ticket_that_never_came_is_neither_sent_nor_cancelled_for_an_order_that_is_undone(shop: Shop) -> None:
    order_id = await placed()
    await shop.sandbox.fault("warehouse", "take pick ticket", "drop", when="before")
    await goes_on(order_id)

    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)

    assert not {TICKET, CANCELLED} & set(await seen(shop, order_id))


async def test_a_parcel_that_left_before_the_warehouse_heard_of_the_cancellation_calls_a_person_and_the_money_is_back(shop: Shop) -> None:
    order_id = await confirmed()
    await shop.sandbox.world("events/custom", type="picked_up", data={"orderId": order_id})  # nobody has called the hub yet

    await cancel(order_id, CancelWish(), by="shop")
    row = await rests(order_id)

    assert (row.status, row.payment, row.hold) == (Status.NEEDS_ATTENTION, "refunded", "undone")
    assert "cannot keep the parcel of a cancelled order back any more (handed_over)" in (row.attention or "")


async def test_the_team_hears_that_only_the_carrier_can_call_a_pick_up_off(shop: Shop) -> None:
    order_id = await confirmed()
    await told(order_id, "packed")
    (pickup,) = await shop.sandbox.objects("shippo", "pickup")

    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)

    said = f"call the pick-up ({pickup['confirmation_code']}) off at the carrier"
    assert [text for text in await said_to_team(shop, order_id) if said in text]


async def test_the_story_says_when_the_warehouse_and_the_carrier_were_told(shop: Shop) -> None:
    order_id = await confirmed()
    await told(order_id, "packed")
    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)

    kinds = [fact.kind for fact in await facts_of(order_id)]
    told_of = [kind for kind in kinds if kind in ("pick ticket sent", "packed", "pick-up scheduled", "pick ticket cancelled")]
    assert told_of == ["pick ticket sent", "packed", "pick-up scheduled", "pick ticket cancelled"]
