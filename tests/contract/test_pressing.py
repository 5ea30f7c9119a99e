"""Buttons below messages do what they say for whom HUB_APPROVERS names, as that person and once; anybody else hears why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from hub.database import transaction
from hub.facets import Status
from hub.facts import AttentionNeeded
from hub.refund_views import RefundState, view_refund
from hub.settings import settings
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import Shop, changed, facts_of, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled, told
from tests.contract.process_kit import accounts_of, goes_on, rests, row_of_subject
from tests.contract.release_kit import a_release

ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    await sql("DELETE FROM approvals")
    async with changed(approvers=f'["slack:{ADA}", "slack:{BOB}"]'):
        with accounts_of(shop):
            yield shop


async def confirmed() -> str:
    order_id = await placed()
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def undeliverable() -> str:
    order_id = await confirmed()
    await handled(carrier_told("FAILURE", (await row_of(order_id)).tracking_number or ""))
    assert (await rests(order_id)).status == Status.NEEDS_ATTENTION
    return order_id


async def messages(shop: Shop, about: str) -> list[dict[str, Any]]:
    """What the team reads about it, oldest first."""
    return [one for one in reversed(await shop.sandbox.objects("slack", "message")) if about in one["text"]]


def buttons(message: dict[str, Any]) -> list[str]:
    return [element["action_id"] for block in message.get("blocks") or [] for element in block.get("elements", [])]


async def press(shop: Shop, message: dict[str, Any], action: str, user: str) -> None:
    """Somebody presses a button, as Slack tells it."""
    click = await shop.sandbox.world("slack/actions", channel=settings().team_channel, ts=message["ts"], action_id=action, user=user)
    await handled(told("slack", "block_actions", click))


async def refunds(shop: Shop, order_id: str) -> list[int]:
    return [effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)]


async def test_a_refund_is_asked_for_by_a_button_whatever_the_amount_and_approved_by_somebody_else(shop: Shop) -> None:
    order_id = await confirmed()
    (first,) = await messages(shop, order_id)
    assert buttons(first) == ["refund"]
    refund_id = f"slack-{first['ts']}"

    await press(shop, first, "refund", ADA)
    await rests(order_id)
    _, question = await messages(shop, order_id)
    assert f"<@{ADA}> asks to give 100.00 USD back" in question["text"]
    assert question["thread_ts"] == first["ts"]
    assert await refunds(shop, order_id) == []

    await press(shop, question, "approve", ADA)
    await rests(order_id)
    assert await refunds(shop, order_id) == []
    assert (await view_refund(order_id, refund_id)).status is RefundState.WAITING

    await press(shop, question, "approve", BOB)
    assert (await rests(order_id)).status == Status.REFUNDED
    assert await refunds(shop, order_id) == [10_000]
    view = await view_refund(order_id, refund_id)
    assert (view.by, view.decided_by) == (f"slack:{ADA}", f"slack:{BOB}")
    first, *_ = await messages(shop, order_id)
    assert ("*money back*" in first["text"], buttons(first)) == (True, [])


async def test_whoever_presses_how_often_asks_for_one_refund_and_is_told_so(shop: Shop) -> None:
    order_id = await confirmed()
    (first,) = await messages(shop, order_id)

    for user in (ADA, ADA, ADA, BOB):
        await press(shop, first, "refund", user)
    await rests(order_id)

    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "refund asked"] == [f"slack:{ADA}"]
    answers = [one["text"] for one in await messages(shop, order_id) if "nothing came of it" in one["text"]]
    assert sorted(f"<@{user}>" in text for text in answers for user in (ADA, BOB)) == [False, True, True, True]
    assert all(f"<@{ADA}> has asked for it already" in text for text in answers)


async def test_a_refund_is_still_asked_for_below_a_message_that_has_changed(shop: Shop) -> None:
    order_id = await confirmed()
    await handled(carrier_told("DELIVERED", (await row_of(order_id)).tracking_number or ""))
    await rests(order_id)
    (first,) = await messages(shop, order_id)
    assert "*delivered*" in first["text"]

    await press(shop, first, "refund", ADA)
    await rests(order_id)

    assert (await view_refund(order_id, f"slack-{first['ts']}")).status is RefundState.WAITING


async def test_somebody_who_may_not_changes_nothing_and_hears_it_once_in_the_thread(shop: Shop) -> None:
    order_id = await undeliverable()
    first, call = await messages(shop, order_id)

    for _ in range(3):
        await press(shop, call, "retry", EVE)
    row = await rests(order_id)

    assert row.status == Status.NEEDS_ATTENTION
    (answer,) = [one for one in await messages(shop, order_id) if "nothing came of it" in one["text"]]
    assert f"<@{EVE}> pressed *Retry*" in answer["text"]
    assert "HUB_APPROVERS names those who may" in answer["text"]
    assert answer["thread_ts"] == first["ts"]
    assert [fact.data["user_id"] for fact in await facts_of(order_id) if fact.kind == "button pressed"] == [EVE] * 3


async def test_what_needs_attention_goes_on_when_somebody_presses_retry_and_the_message_says_who(shop: Shop) -> None:
    order_id = await undeliverable()
    _, call = await messages(shop, order_id)
    assert buttons(call) == ["retry"]

    await press(shop, call, "retry", ADA)
    row = await rests(order_id)

    assert (row.status, row.attention) == (Status.CONFIRMED, None)
    first, call = await messages(shop, order_id)
    assert call["text"].endswith(f"*taken up again* by <@{ADA}>")
    assert buttons(call) == []
    assert "*confirmed*" in first["text"]
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "taken up again"] == [f"slack:{ADA}"]


async def test_a_call_that_was_seen_to_is_not_taken_up_again_by_its_old_button(shop: Shop) -> None:
    order_id = await undeliverable()
    _, call = await messages(shop, order_id)
    for user in (ADA, BOB):
        await press(shop, call, "retry", user)
    await rests(order_id)
    await needs(order_id, "order", "another thing")
    await rests(order_id)

    await press(shop, call, "retry", EVE)

    assert (await rests(order_id)).attention == "another thing"
    answers = [one["text"] for one in await messages(shop, order_id) if "nothing came of it" in one["text"]]
    assert [f"<@{BOB}>" in answers[0], "any more" in answers[0]] == [True, True]
    assert [f"<@{EVE}>" in answers[1], "taken it up already" in answers[1]] == [True, True]


async def test_a_failed_payment_is_tried_again_as_the_next_attempt_once(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    await rests(order_id)
    (first,) = await messages(shop, order_id)
    await sql("UPDATE orders SET payment_method = 'pm_card_visa' WHERE id = :id", id=order_id)

    for user in (ADA, BOB):
        await press(shop, first, "retry", user)
    row = await rests(order_id)

    assert (row.status, row.attempt) == (Status.CONFIRMED, 2)
    assert await shop.sandbox.count("stripe", "charge", order_id) == 1
    first, answer = await messages(shop, order_id)
    assert "*confirmed*" in first["text"]
    assert ("attempt 2 has followed already" in answer["text"], answer["thread_ts"]) == (True, first["ts"])


async def test_a_release_that_needs_attention_goes_on_by_its_button_too(shop: Shop) -> None:
    release_id = await a_release()
    await needs(release_id, "release", "look at the deployment")
    await goes_on(release_id, "release")
    (call,) = [one for one in await messages(shop, release_id) if "needs attention" in one["text"]]

    await press(shop, call, "retry", ADA)
    await goes_on(release_id, "release")

    assert (await row_of_subject(release_id, "release")).attention is None
    assert await shop.sandbox.count("github", "deployment", release_id) == 1


async def test_without_anybody_who_may_press_there_are_no_buttons(shop: Shop) -> None:
    async with changed(approvers="[]"):
        order_id = await confirmed()

    (first,) = await messages(shop, order_id)
    assert buttons(first) == []


async def needs(subject_id: str, kind: str, reason: str) -> None:
    async with transaction() as session:
        row, now = await locked(session, subject_id, kind)
        await record(session, row, AttentionNeeded(epoch=row.epoch, reason=reason), source="undo")
        row.resume_at = now
