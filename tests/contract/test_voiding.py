"""A label that was bought and is not used goes back to its carrier, once, whatever dies, whoever has undone the order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from sqlmodel import col, select

from hub.beginning import begin
from hub.begun import Ask
from hub.database import transaction
from hub.decisions import begin_undo, finish_undo
from hub.due import due_subjects
from hub.effects import Effect, Parked
from hub.errors import OutcomeUnknown, RateLimited, Refused
from hub.facets import Status
from hub.labels import label_effects
from hub.orders import Order
from hub.owed import owed_effects
from hub.parcels import VoidRequest
from hub.refunds import RefundTerms, ask_refund
from hub.resolving import resolve
from hub.tables import EffectRow
from tests.contract.ledger_kit import (
    Shop,
    dies,
    ends_with,
    facts_of,
    lease_ends,
    outcomes_of,
    placed,
    row_of,
    run,
    run_of_a_new_order,
    sql,
    time_passes,
)
from tests.contract.notice_kit import carrier_told, handled, label_told
from tests.contract.process_kit import accounts_of, rests

WHY = "the customer has changed their mind"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return shop


@asynccontextmanager
async def run_that_undoes(shop: Shop) -> AsyncIterator[Order]:
    """A run that has decided to undo an order with a label, and has given the money back."""
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.refund(await begin_undo(order, WHY))
        yield order


async def voids(order: Order) -> list[EffectRow]:
    async with transaction() as session:
        mine = (col(EffectRow.subject_id) == order.id, col(EffectRow.step).startswith("void"))
        return list(await session.exec(select(EffectRow).where(*mine).order_by(col(EffectRow.created_at))))


def void_effect(order: Order) -> Effect:
    return order.effect("void", VoidRequest(label_id="t_1"))


async def states(order: Order) -> list[str]:
    return [void.state for void in await voids(order)]


async def goes_back(shop: Shop, order: Order) -> int:
    return await shop.sandbox.count("shippo", "refund", order.id)


async def test_the_label_of_an_order_that_is_undone_goes_back_once(shop: Shop) -> None:
    async with run_that_undoes(shop) as order:
        assert await states(order) == ["intended"], "with the decision, before anything is asked"
        await shop.give_labels_back(order)
        assert await states(order) == ["pending"]
        await shop.give_labels_back(order)
        await finish_undo(order)

    assert await goes_back(shop, order) == 1
    assert (await row_of(order.id)).status == Status.REFUNDED, "the carrier may look for two weeks; nobody waits for that"


async def test_an_order_without_a_label_has_none_to_give_back(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
        await shop.refund(await begin_undo(order, WHY))
        await shop.give_labels_back(order)

    assert await voids(order) == []


async def test_a_label_of_the_second_best_carrier_goes_back_like_any_other(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        label = await shop.best_label(order, await shop.until_offered(order, "00001"))
        await shop.refund(await begin_undo(order, WHY))
        await shop.give_labels_back(order)

    assert [(void.step, void.reference) for void in await voids(order)] == [("void", label.label_id)]


async def test_a_label_that_is_on_its_way_to_the_customer_is_not_given_back(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        label = await shop.until_labelled(order)
        await handled(carrier_told("TRANSIT", label.tracking_number))
        await shop.refund(await begin_undo(order, WHY))
        await shop.give_labels_back(order)

    assert await voids(order) == []


async def test_a_run_that_dies_between_the_decision_and_the_void_is_followed_by_one_that_makes_it(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
    dead = await dies(order.id)
    await begin_undo(dead, WHY)
    await lease_ends(dead)

    assert ("order", order.id) in [(due.kind, due.id) for due in await due_subjects(only={("order", order.id)})]
    async with run(order.id) as heir:
        await shop.refund(await begin_undo(heir, "taken up again"))
        await shop.give_labels_back(heir)

    assert await goes_back(shop, order) == 1


async def test_an_answer_that_was_lost_after_the_label_went_back_is_found_by_the_label(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "void label", "drop", when="after")
    async with run_that_undoes(shop) as order:
        with pytest.raises(OutcomeUnknown):
            await shop.give_labels_back(order)
        await time_passes(void_effect(order), 10)
        await shop.give_labels_back(order)

    assert await outcomes_of(void_effect(order)) == ["found"]
    assert await goes_back(shop, order) == 1


async def test_an_answer_that_was_lost_before_the_label_went_back_is_asked_for_again_when_it_is_surely_absent(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "void label", "drop")
    async with run_that_undoes(shop) as order:
        with pytest.raises(OutcomeUnknown):
            await shop.give_labels_back(order)
        await time_passes(void_effect(order), 10)
        await shop.give_labels_back(order)

    assert await outcomes_of(void_effect(order), "look") == ["absent", "absent"]
    assert await outcomes_of(void_effect(order)) == ["absent", "pending"]
    assert await goes_back(shop, order) == 1


async def test_while_shippo_is_away_the_order_waits_with_its_money_already_back(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "void label", "status", status=429, retry_after=60)
    with ends_with(Parked):
        async with run_that_undoes(shop) as order:
            await shop.give_labels_back(order)

    row = await row_of(order.id)
    assert (row.status, row.refunded) == (Status.REFUNDING, row.amount)
    assert row.resume_at is not None
    assert await states(order) == ["intended"]


async def test_a_label_that_the_carrier_has_taken_back_is_told_by_webhook(shop: Shop) -> None:
    async with run_that_undoes(shop) as order:
        await shop.give_labels_back(order)
        await finish_undo(order)
    [void] = await voids(order)

    await handled(label_told(order, "label", "REFUNDED", object_id=void.reference))

    assert await states(order) == ["done"]
    assert [fact.kind for fact in await facts_of(order.id)][-1] == "label voided"
    assert (await row_of(order.id)).status == Status.REFUNDED


async def test_a_label_that_the_carrier_does_not_take_back_is_for_a_person_and_the_order_is_refunded_all_the_same(shop: Shop) -> None:
    async with run_that_undoes(shop) as order:
        await shop.give_labels_back(order)
        await finish_undo(order)
    [void] = await voids(order)

    await handled(label_told(order, "label", "REFUNDREJECTED", object_id=void.reference))

    row = await row_of(order.id)
    assert await states(order) == ["refused"]
    assert (row.status, row.payment, row.hold) == (Status.NEEDS_ATTENTION, "refunded", "undone")
    assert f"hub order resolve {order.id} void" in (row.attention or "")
    assert row.resume_at is not None, "the next run tells the team"

    await resolve("order", order.id, "void", happened=True, reference="written off", by="ada")

    row = await row_of(order.id)
    assert (row.status, row.attention) == (Status.REFUNDED, None)
    assert await states(order) == ["done"]


async def test_a_void_that_is_refused_at_once_is_for_a_person_and_the_undoing_goes_on(shop: Shop) -> None:
    refusal = {"transaction": ["Transaction is not found or cannot be refunded."]}
    await shop.sandbox.fault("shippo", "void label", "status", status=400, body=refusal)
    async with run_that_undoes(shop) as order:
        with pytest.raises(Refused):
            await shop.give_labels_back(order)
        await finish_undo(order)

    row = await row_of(order.id)
    assert (row.status, row.payment, row.hold) == (Status.NEEDS_ATTENTION, "refunded", "undone")
    assert f"hub order resolve {order.id} void" in (row.attention or "")


async def test_a_purchase_of_which_nobody_knows_is_found_out_about_before_the_order_is_undone(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order)
        with pytest.raises(OutcomeUnknown):
            await shop.best_label(order, quote)
        await time_passes(label_effects(order, quote)[0], 10)
        await shop.refund(await begin_undo(order, WHY))
        await shop.give_labels_back(order)

    assert await goes_back(shop, order) == 1
    assert len(await shop.sandbox.requests("shippo", "buy label")) == 1


async def test_a_purchase_that_surely_was_not_made_is_not_made_for_an_order_that_is_undone(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "buy label", "drop")
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order)
        with pytest.raises(OutcomeUnknown):
            await shop.best_label(order, quote)
        await time_passes(label_effects(order, quote)[0], 10)
        await shop.refund(await begin_undo(order, WHY))
        await shop.give_labels_back(order)

    assert await shop.sandbox.count("shippo", "label", order.id) == 0
    assert await voids(order) == []


async def test_a_label_that_is_heard_of_when_the_order_is_undone_already_goes_back(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order)
        assert isinstance(await begin(label_effects(order, quote)[0], shop.shippo.terms), Ask)
        await shop.refund(await begin_undo(order, WHY))
        await finish_undo(order)
    assert await voids(order) == []

    await handled(label_told(order, "label", "SUCCESS", tracking_number="1Z9"))

    assert [(void.state, void.request) for void in await voids(order)] == [("intended", {"label_id": "t_1"})]
    assert (await row_of(order.id)).resume_at is not None


async def test_an_order_that_hears_of_a_second_label_keeps_its_first_and_gives_that_one_back(shop: Shop) -> None:
    """The first offer's call was believed to be without effect, and was only late."""
    async with run_of_a_new_order() as order:
        label = await shop.best_label(order, await shop.until_offered(order, "00001"))

    await handled(label_told(order, "label", "SUCCESS", tracking_number="1Z9"))

    assert [(void.state, void.request) for void in await voids(order)] == [("intended", {"label_id": "t_1"})]
    row = await row_of(order.id)
    assert (row.status, row.tracking_number) == (Status.PAID, label.tracking_number)
    async with run(order.id) as again:
        assert [owed.step for owed in await owed_effects(again)] == ["void"]


async def test_a_shippo_that_is_busy_leaves_the_void_to_the_next_try(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "void label", "status", status=429)
    async with run_that_undoes(shop) as order:
        with pytest.raises(RateLimited):
            await shop.give_labels_back(order)
        await shop.give_labels_back(order)

    assert await goes_back(shop, order) == 1


async def test_an_order_that_a_person_refunds_in_full_before_it_is_shipped_gives_its_label_back(shop: Shop) -> None:
    with accounts_of(shop):
        order_id = await placed()
        assert (await rests(order_id)).status == Status.CONFIRMED

        await ask_refund(order_id, "r-1", RefundTerms(), by="ada")
        row = await rests(order_id)

    assert row.status == Status.REFUNDED
    assert await shop.sandbox.count("shippo", "refund", order_id) == 1


async def test_a_label_that_is_not_taken_back_is_told_to_the_team_once_and_a_person_ends_it(shop: Shop) -> None:
    refusal = {"transaction": ["Transaction is not found or cannot be refunded."]}
    with accounts_of(shop):
        order_id = await placed()
        assert (await rests(order_id)).status == Status.CONFIRMED
        await shop.sandbox.fault("shippo", "void label", "status", status=400, body=refusal)

        await ask_refund(order_id, "r-1", RefundTerms(), by="ada")
        row = await rests(order_id)

        assert (row.status, row.payment, row.hold) == (Status.NEEDS_ATTENTION, "refunded", "undone")
        posted = [message["text"] for message in await shop.sandbox.objects("slack", "message")]
        assert [f"hub order resolve {order_id} void" in text for text in posted].count(True) == 1

        await resolve("order", order_id, "void", happened=True, reference="written off", by="ada")
        assert (await rests(order_id)).status == Status.REFUNDED
    assert len(await shop.sandbox.requests("shippo", "void label")) == 1
