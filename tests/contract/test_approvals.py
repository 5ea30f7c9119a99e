"""Much money goes back only when somebody else than who asked has approved it, in time; the answer counts once, wherever it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.approvals import FORM, ApprovalState, approval_of
from hub.attention import attention_list
from hub.cancelling import CancelWish, cancel
from hub.database import transaction
from hub.deciding import NotDecided, decide_approval, expire_approvals, form_closed, forms_to_close, forms_to_show, question_for
from hub.facets import Status
from hub.refund_views import RefundState, view_refund
from hub.refunds import NotRefundable, RefundTerms, ask_refund
from hub.settings import settings
from tests.contract.ledger_kit import Shop, changed, facts_of, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled, told
from tests.contract.process_kit import accounts_of, rests

MUCH = RefundTerms(amount=4_000, reason="a scratch")
ADA, BOB = "slack:U0ADA", "slack:U0BOB"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    await sql("DELETE FROM approvals")
    async with changed(refund_asks_above="3999", approvers=f'["{ADA}", "{BOB}"]'):
        with accounts_of(shop):
            yield shop


async def asked(by: str = "shop", terms: RefundTerms = MUCH) -> tuple[str, int]:
    """A refund of a delivered order that needs approval: the order's id, and the approval's."""
    order_id = await placed()
    await rests(order_id)
    await handled(carrier_told("DELIVERED", (await row_of(order_id)).tracking_number or ""))
    await ask_refund(order_id, "r-1", terms, by=by)
    await rests(order_id)
    async with transaction() as session:
        approval = await approval_of(session, order_id, "r-1")
    assert approval is not None
    return order_id, approval.id


async def given_back(shop: Shop, order_id: str) -> list[int]:
    return [effect["amount"] for effect in await shop.sandbox.effects("stripe", "refund", order_id)]


async def said(shop: Shop, order_id: str) -> list[str]:
    return [message["text"] for message in await shop.sandbox.objects("slack", "message") if order_id in message["text"]]


async def test_nothing_goes_back_until_somebody_else_approves_and_the_team_hears_who_asks(shop: Shop) -> None:
    order_id, approval_id = await asked()
    assert await given_back(shop, order_id) == []
    assert (await view_refund(order_id, "r-1")).status is RefundState.WAITING
    assert [text for text in await said(shop, order_id) if "shop asks to give 40.00 USD back (refund r-1, a scratch)" in text]

    answers = await asyncio.gather(*(decide_approval(approval_id, approve=True, by=ADA) for _ in range(3)))
    row = await rests(order_id)

    assert set(answers) == {ApprovalState.APPROVED}
    assert (await given_back(shop, order_id), row.status) == ([4_000], Status.DELIVERED)
    view = await view_refund(order_id, "r-1")
    assert (view.status, view.by, view.decided_by) == (RefundState.REFUNDED, "shop", ADA)
    assert [fact.data["by"] for fact in await facts_of(order_id) if fact.kind == "refund decided"] == [ADA]


async def test_what_is_not_above_the_limit_asks_nobody(shop: Shop) -> None:
    async with changed(refund_asks_above="4000"):
        order_id = await placed()
        await rests(order_id)
        await ask_refund(order_id, "r-1", MUCH, by="shop")
        await rests(order_id)

    assert await given_back(shop, order_id) == [4_000]


async def test_a_no_is_recorded_and_told_and_the_money_stays_free_for_another_refund(shop: Shop) -> None:
    order_id, approval_id = await asked()

    assert await decide_approval(approval_id, approve=False, by=ADA) is ApprovalState.REJECTED
    await rests(order_id)

    assert (await view_refund(order_id, "r-1")).status is RefundState.REJECTED
    assert [text for text in await said(shop, order_id) if f"refund r-1 of 40.00 USD was rejected by {ADA}" in text]
    with pytest.raises(NotDecided, match=f"it was rejected by {ADA} already"):
        await decide_approval(approval_id, approve=True, by=BOB)
    await ask_refund(order_id, "r-2", RefundTerms(), by="shop")
    assert await given_back(shop, order_id) == []


async def test_whoever_asks_does_not_decide_and_neither_does_anybody_whom_nobody_named(shop: Shop) -> None:
    order_id, approval_id = await asked(by=ADA)

    with pytest.raises(NotDecided, match="whoever asks for it does not decide it"):
        await decide_approval(approval_id, approve=True, by=ADA)
    with pytest.raises(NotDecided, match="slack:U0EVE may not decide it"):
        await decide_approval(approval_id, approve=True, by="slack:U0EVE")
    await rests(order_id)
    assert await given_back(shop, order_id) == []
    assert await decide_approval(approval_id, approve=True, by=BOB) is ApprovalState.APPROVED


async def test_a_form_decides_for_somebody_whom_nobody_knows_up_to_a_limit_and_never_what_was_typed_there(shop: Shop) -> None:
    del shop
    order_id, approval_id = await asked()
    async with changed(form_approves_up_to="3999"):
        assert await question_for(order_id, "r-1", "run-1") is None
        with pytest.raises(NotDecided):
            await decide_approval(approval_id, approve=True, by=FORM)
    typed, typed_id = await asked(by=FORM)
    assert await question_for(typed, "r-1", "run-2") is None
    with pytest.raises(NotDecided, match="whoever asks"):
        await decide_approval(typed_id, approve=True, by=FORM)

    question = await question_for(order_id, "r-1", "run-1")
    assert question is not None
    assert question.what == f"refund r-1 of order {order_id}: 40.00 USD, because: a scratch"
    assert await decide_approval(approval_id, approve=True, by=FORM) is ApprovalState.APPROVED
    assert (await view_refund(order_id, "r-1")).decided_by == FORM


async def test_what_nobody_answers_in_time_expires_and_a_later_answer_changes_nothing(shop: Shop) -> None:
    order_id, approval_id = await asked()
    await sql("UPDATE approvals SET expires_at = clock_timestamp() WHERE id = :id", id=approval_id)

    assert await expire_approvals() == 1
    await rests(order_id)

    assert (await view_refund(order_id, "r-1")).status is RefundState.EXPIRED
    assert [text for text in await said(shop, order_id) if "was expired by the hub" in text]
    assert await decide_approval(approval_id, approve=True, by=ADA) is ApprovalState.EXPIRED
    assert (await expire_approvals(), await given_back(shop, order_id)) == (0, [])


async def test_an_answer_that_comes_too_late_finds_it_expired_although_nobody_swept(shop: Shop) -> None:
    del shop
    _, approval_id = await asked()
    await sql("UPDATE approvals SET expires_at = clock_timestamp() WHERE id = :id", id=approval_id)

    assert await decide_approval(approval_id, approve=True, by=ADA) is ApprovalState.EXPIRED


async def test_what_waits_for_approval_is_kept_back_from_other_refunds(shop: Shop) -> None:
    del shop
    order_id, _ = await asked()

    with pytest.raises(NotRefundable, match=r"60\.00 USD are left"):
        await ask_refund(order_id, "r-2", RefundTerms(amount=6_001), by="shop")


async def test_a_cancelled_order_gives_everything_back_and_asks_no_longer(shop: Shop) -> None:
    order_id = await placed()
    await rests(order_id)
    await ask_refund(order_id, "r-1", MUCH, by="shop")

    await cancel(order_id, CancelWish(), by="shop")
    await rests(order_id)

    assert await given_back(shop, order_id) == [10_000]
    assert (await view_refund(order_id, "r-1")).status is RefundState.WITHDRAWN


async def test_a_refund_of_all_that_needs_approval_ships_until_it_has_it_and_is_undone_then(shop: Shop) -> None:
    order_id = await placed()
    await rests(order_id)
    await ask_refund(order_id, "r-1", RefundTerms(), by="shop")
    assert (await rests(order_id)).status == Status.CONFIRMED

    async with transaction() as session:
        approval = await approval_of(session, order_id, "r-1")
    assert approval is not None
    await decide_approval(approval.id, approve=True, by=ADA)

    assert (await rests(order_id)).status == Status.REFUNDED
    assert await given_back(shop, order_id) == [10_000]


async def test_what_waits_for_approval_stands_among_what_a_person_has_to_look_at(shop: Shop) -> None:
    del shop
    order_id, approval_id = await asked()
    (waiting,) = [one for one in await attention_list() if one.what == f"refund r-1 of order {order_id}"]
    assert waiting.reason.startswith("shop asks for 40.00 USD; expires ")

    await decide_approval(approval_id, approve=False, by=ADA)
    assert waiting.what not in [one.what for one in await attention_list()]


async def test_there_is_a_form_as_long_as_there_is_a_question(shop: Shop) -> None:
    del shop
    order_id, approval_id = await asked()
    assert [form.refund_id for form in await forms_to_show()] == ["r-1"]

    await question_for(order_id, "r-1", "run-1")
    assert (await forms_to_show(), await forms_to_close()) == ([], [])

    await decide_approval(approval_id, approve=False, by=ADA)
    (over,) = await forms_to_close()
    assert (over.run_id, over.order_id) == ("run-1", order_id)
    await form_closed(over)
    assert await forms_to_close() == []


async def question(shop: Shop, order_id: str) -> dict[str, Any]:
    """The message that asks for approval."""
    posted = await shop.sandbox.objects("slack", "message")
    (message,) = [one for one in posted if order_id in one["text"] and "asks to give" in one["text"]]
    return message


async def pressed(shop: Shop, order_id: str, action: str, user: str) -> None:
    """Somebody presses a button below the message that asks, as Slack tells it."""
    message = await question(shop, order_id)
    click = await shop.sandbox.world("slack/actions", channel=settings().team_channel, ts=message["ts"], action_id=action, user=user)
    await handled(told("slack", "block_actions", click))


async def test_a_button_in_slack_decides_as_the_person_who_pressed_it_and_the_message_says_so(shop: Shop) -> None:
    order_id, _ = await asked()

    await pressed(shop, order_id, "approve", ADA.removeprefix("slack:"))
    await rests(order_id)

    assert await given_back(shop, order_id) == [4_000]
    assert (await view_refund(order_id, "r-1")).decided_by == ADA
    message = await question(shop, order_id)
    assert message["text"].endswith("*approved* by <@U0ADA>")
    assert message["blocks"] == []


async def test_a_button_that_somebody_presses_who_may_not_changes_nothing_and_is_in_the_story(shop: Shop) -> None:
    order_id, _ = await asked()

    await pressed(shop, order_id, "approve", "U0EVE")
    await rests(order_id)

    assert await given_back(shop, order_id) == []
    assert (await view_refund(order_id, "r-1")).status is RefundState.WAITING
    assert [fact.data["user_id"] for fact in await facts_of(order_id) if fact.kind == "button pressed"] == ["U0EVE"]


async def test_two_who_press_different_buttons_have_one_answer(shop: Shop) -> None:
    order_id, _ = await asked()
    message = await question(shop, order_id)
    place = {"channel": settings().team_channel, "ts": message["ts"]}
    no = await shop.sandbox.world("slack/actions", **place, action_id="reject", user="U0BOB")
    yes = await shop.sandbox.world("slack/actions", **place, action_id="approve", user="U0ADA")

    await handled(told("slack", "block_actions", no), told("slack", "block_actions", yes))
    await rests(order_id)

    assert (await view_refund(order_id, "r-1")).status is RefundState.REJECTED
    assert await given_back(shop, order_id) == []
