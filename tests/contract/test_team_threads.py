"""The team sees each order in one message, which changes with it; what else is to be said replies to it, or has its own channel."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.cancelling import CancelWish, cancel
from hub.facets import Status
from hub.intake import go_on, raise_attempt
from hub.team_events import TeamEvent
from tests.contract.ledger_kit import Shop, changed, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled, warehouse_told
from tests.contract.process_kit import accounts_of, goes_on, rests

NOWHERE = {"street": "965 Mission St", "city": "San Francisco", "state": "CA", "zip": "00000"}
APART = {event: f"C0{event.upper().replace('_', '')}" for event in TeamEvent}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield shop


async def confirmed(**changes: Any) -> str:
    order_id = await placed(**changes)
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def tracked(order_id: str, status: str) -> None:
    await handled(carrier_told(status, (await row_of(order_id)).tracking_number or ""))
    await rests(order_id)


async def said(shop: Shop, order_id: str) -> list[dict[str, Any]]:
    """What the team reads about the order, oldest first."""
    return [one for one in reversed(await shop.sandbox.objects("slack", "message")) if order_id in one["text"]]


async def slack_calls(shop: Shop, order_id: str) -> Counter[str]:
    return Counter(effect["kind"] for effect in await shop.sandbox.effects("slack", subject=order_id))


async def channels(shop: Shop, order_id: str) -> list[str]:
    return [effect["reference"]["channel"] for effect in await shop.sandbox.effects("slack", "message", order_id)]


async def test_a_plain_order_is_one_call_until_it_is_shipped_and_one_for_each_step_of_its_parcel(shop: Shop) -> None:
    order_id = await confirmed()
    assert await slack_calls(shop, order_id) == Counter({"message": 1})

    await handled(warehouse_told("packed", order_id))
    await tracked(order_id, "TRANSIT")
    await tracked(order_id, "TRANSIT")
    await tracked(order_id, "DELIVERED")

    (message,) = await said(shop, order_id)
    assert message["text"].startswith(f":house: order {order_id}, 100.00 USD: *delivered*, tracking number ")
    assert await slack_calls(shop, order_id) == Counter({"message": 1, "message_updated": 2})


async def test_a_failed_payment_is_the_orders_message_which_shows_the_attempt_that_succeeds(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    await rests(order_id)
    assert ["generic_decline" in message["text"] for message in await said(shop, order_id)] == [True]

    await raise_attempt(order_id, 2, "pm_card_visa")
    assert (await rests(order_id)).status == Status.CONFIRMED

    (message,) = await said(shop, order_id)
    assert "*confirmed*, tracking number" in message["text"]
    assert await slack_calls(shop, order_id) == Counter({"message": 1, "message_updated": 1})


async def test_a_second_failure_is_a_reply_that_the_channel_sees(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    await rests(order_id)
    await raise_attempt(order_id, 2, "pm_card_chargeDeclinedInsufficientFunds")
    await rests(order_id)

    first, second = await said(shop, order_id)
    assert "insufficient_funds" in second["text"]
    assert (second["thread_ts"], second["subtype"]) == (first["ts"], "thread_broadcast")
    assert await slack_calls(shop, order_id) == Counter({"message": 2})


async def test_what_is_undone_at_first_is_one_message_and_later_a_reply_and_a_change(shop: Shop) -> None:
    refused = await placed(shipping=NOWHERE)
    assert (await rests(refused)).status == Status.REFUNDED
    assert await slack_calls(shop, refused) == Counter({"message": 1})

    cancelled = await confirmed()
    await cancel(cancelled, CancelWish(reason="a change of mind"), by="shop")
    await rests(cancelled)

    first, reply = await said(shop, cancelled)
    assert "*money back*" in first["text"]
    assert "a change of mind" in reply["text"]
    assert reply["thread_ts"] == first["ts"]
    assert await slack_calls(shop, cancelled) == Counter({"message": 2, "message_updated": 1})


async def test_what_needs_attention_is_said_in_the_thread_and_shown_until_it_was_seen_to(shop: Shop) -> None:
    order_id = await confirmed()
    await tracked(order_id, "FAILURE")
    first, call = await said(shop, order_id)
    assert "*needs attention*" in first["text"]
    assert call["thread_ts"] == first["ts"]

    await go_on(order_id)
    await rests(order_id)

    first, _ = await said(shop, order_id)
    assert "*confirmed*" in first["text"]


async def test_every_kind_of_event_has_the_channel_that_it_was_given_and_stands_alone_there(shop: Shop) -> None:
    async with changed(team_channels=json.dumps(APART)):
        order_id = await confirmed()
        await tracked(order_id, "TRANSIT")
        await tracked(order_id, "FAILURE")
        declined = await placed(paymentMethod="pm_card_chargeDeclined")
        await rests(declined)
        refused = await placed(shipping=NOWHERE)
        await rests(refused)

    told = [TeamEvent.ORDER, TeamEvent.CONFIRMATION, TeamEvent.SHIPPED, TeamEvent.ATTENTION]
    assert sorted(await channels(shop, order_id)) == sorted(APART[event] for event in told)
    assert await channels(shop, declined) == [APART[TeamEvent.PAYMENT_FAILURE]]
    assert await channels(shop, refused) == [APART[TeamEvent.UNDONE]]
    assert not [one for one in await said(shop, order_id) if "thread_ts" in one]


async def test_an_order_that_was_declined_elsewhere_gets_its_own_message_when_it_is_confirmed(shop: Shop) -> None:
    async with changed(team_channels='{"payment_failure": "C0MONEY"}'):
        order_id = await placed(paymentMethod="pm_card_chargeDeclined")
        await rests(order_id)
        await raise_attempt(order_id, 2, "pm_card_visa")
        await rests(order_id)

    assert await channels(shop, order_id) == ["C0MONEY", "C0HUBTEAM"]


async def test_a_change_that_slack_did_not_take_is_made_up_for_and_what_is_not_true_any_more_is_not_said(shop: Shop) -> None:
    order_id = await confirmed()
    await shop.sandbox.fault("slack", "update message", "status", status=429, times=None)
    await tracked_without_rest(order_id, "TRANSIT")
    assert (await row_of(order_id)).resume_at is not None
    await tracked_without_rest(order_id, "DELIVERED")
    await shop.sandbox.clear_faults()

    await rests(order_id)

    (message,) = await said(shop, order_id)
    assert "*delivered*" in message["text"]
    assert await slack_calls(shop, order_id) == Counter({"message": 1, "message_updated": 1})


async def tracked_without_rest(order_id: str, status: str) -> None:
    await handled(carrier_told(status, (await row_of(order_id)).tracking_number or ""))
    await goes_on(order_id)


async def test_a_reply_whose_answer_was_lost_is_found_and_not_said_twice(shop: Shop) -> None:
    order_id = await confirmed()
    await shop.sandbox.fault("slack", "post message", "drop", when="after")
    await tracked_without_rest(order_id, "FAILURE")

    await rests(order_id)

    assert len(await said(shop, order_id)) == 2
    assert await shop.sandbox.requests("slack", "read history")


@pytest.mark.parametrize("number", range(2))
async def test_a_message_that_somebody_has_deleted_holds_nothing_up(shop: Shop, number: int) -> None:
    order_id = await confirmed()
    gone = {"ok": False, "error": ("message_not_found", "cant_update_message")[number]}
    await shop.sandbox.fault("slack", "update message", "garbage", body=gone, times=None)

    await tracked(order_id, "TRANSIT")

    assert (await row_of(order_id)).status == Status.IN_TRANSIT
