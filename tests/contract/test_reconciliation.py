"""What was changed behind the hub's back is found, and nothing else: what is certain is repaired, a person looks where money is missing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlmodel import select

from deployments.ledger_checkups import reconciliation
from deployments.problems import Problem
from hub.attention import attention_list
from hub.cancelling import CancelWish, cancel
from hub.database import transaction
from hub.errors import OutcomeUnknown
from hub.facets import Status
from hub.reconciliation.comparing import What
from hub.reconciliation.periods import PERIOD, NotAPeriod, begin_reconciliation, report_of
from hub.reconciliation.reports import Report
from hub.reconciliation_tables import SightingRow
from hub.steps import EffectState
from tasks.bulk import in_bulk
from tasks.reconciling import conclude, tell_team
from tests.contract.behind_our_back import (
    AMOUNT,
    CALLS,
    CHARGES,
    LABELS,
    MESSAGES,
    REFUNDS,
    REPAIRED,
    Deed,
    Planted,
    a_charge_is_removed,
    a_deployment_goes_elsewhere,
    a_deployment_goes_on,
    a_label_is_given_back,
    money_is_given_back,
    others_are_busy,
    payment_of,
    the_customer_is_texted_again,
)
from tests.contract.ledger_kit import facts_of, placed, row_of, sql
from tests.contract.process_kit import goes_on, rests, row_of_subject
from tests.contract.reconciling_kit import HAS_A_PHONE, Market, effect, is_long_ago, open_market, told_of
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_receiver import Receiver


@pytest_asyncio.fixture(loop_scope="session")
async def market(both: tuple[Sandbox, Receiver], hub_database: str) -> AsyncIterator[Market]:
    async with open_market(*both) as market:
        yield market


async def kinds_of(order_id: str) -> list[str]:
    return [fact.kind for fact in await facts_of(order_id)]


def is_clean(report: Report) -> None:
    assert told_of(report) == []
    assert (report.drift, report.broken) == ({}, 0)


async def test_a_hub_that_was_told_everything_has_no_differences(market: Market) -> None:
    await asyncio.gather(*(market.order() for _ in range(20)))
    await market.order(**HAS_A_PHONE)
    await market.order(paymentMethod="pm_card_chargeDeclined")
    await market.order(paymentMethod="pm_card_authenticationRequired")
    await market.order(shipping={"address": "1 Main St", "city": "Nowhere", "state": "CA", "zip": "00000"})
    await market.release()
    await market.signup()
    await cancel(cancelled := await market.order(), CancelWish(), by="ada")
    await rests(cancelled)
    await market.listen()

    report = await market.reconciled()

    is_clean(report)
    compared = {one.provider: one.compared for one in report.providers}
    assert compared["stripe"] >= 27
    assert compared["shippo"] == 22
    assert compared["slack"] >= 24
    assert (compared["twilio"], compared["github"]) == (2, 1)
    assert compared["sendgrid"] >= 21


async def test_pages_are_followed_to_the_last_and_nothing_that_was_seen_is_kept(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("stripe", "shippo", "slack", "twilio"):
        monkeypatch.setattr(f"blocks.{provider}_lists.PAGE", 2)
    await asyncio.gather(*(market.order(**HAS_A_PHONE) for _ in range(5)))
    await market.listen()

    report = await market.reconciled()

    is_clean(report)
    assert len(await market.sandbox.requests("shippo", "list labels")) == 3
    assert len(await market.sandbox.requests("stripe", "list payments")) == 3
    async with transaction() as session:
        assert (await session.exec(select(SightingRow))).first() is None


async def test_every_planted_difference_is_found_and_no_other(market: Market) -> None:
    deeds = (*CHARGES, *REFUNDS, *LABELS, *MESSAGES)
    orders = dict(zip(deeds, await asyncio.gather(*(market.order() for _ in deeds)), strict=True))
    texted, waiting = await market.order(**HAS_A_PHONE), await market.order(paymentMethod="pm_card_authenticationRequired")
    moved, elsewhere = await market.release(), await market.release()
    await market.listen()
    is_clean(await market.reconciled())

    await market.withhold()
    by_deed = {deed: await deed(market, order_id) for deed, order_id in orders.items()}
    by_deed |= {the_customer_is_texted_again: await the_customer_is_texted_again(market, texted)}
    by_deed |= {deed: await deed(market, one) for deed, one in ((a_deployment_goes_on, moved), (a_deployment_goes_elsewhere, elsewhere))}
    repaired = {("stripe", What.MISSED, await pays_without_a_word(market, waiting))}
    unheard, label_id = await label_of_which_nobody_heard(market)
    repaired |= {("shippo", What.UNKNOWN_HERE, label_id)}.union(*(planted for deed, planted in by_deed.items() if deed in REPAIRED))
    listed = {("sendgrid", What.UNHEARD, await mail_of_which_nothing_is_heard(market))}
    listed = listed.union(*(planted for deed, planted in by_deed.items() if deed not in REPAIRED))
    await others_are_busy(market)
    await market.has_settled()

    report = await market.reconciled()

    assert told_of(report) == sorted(repaired | listed)
    assert told_of(report, repaired=True) == sorted(repaired)
    assert report.drift == {"usd": -AMOUNT - AMOUNT + AMOUNT + 1}
    assert {one.what for one in await attention_list()} == {f"order {orders[deed]}" for deed in CALLS}
    assert {(await row_of(orders[deed])).refunded for deed in REFUNDS} == {1_000, 500}
    assert (await row_of(waiting)).status == Status.PAID
    assert "label voided" in await kinds_of(orders[a_label_is_given_back])
    assert (await effect(unheard, "label")).state == EffectState.DONE
    assert (await row_of_subject(moved, "release")).status == "success"

    again = await market.reconciled()

    assert told_of(again) == sorted(listed)
    assert (again.repaired, again.drift) == (0, report.drift)
    assert (await kinds_of(orders[a_charge_is_removed])).count("needs attention") == 1
    assert (await rests(unheard)).status == Status.CONFIRMED
    assert await market.sandbox.count("shippo", "label", unheard) == 1


async def pays_without_a_word(market: Market, order_id: str) -> str:
    """The customer pays, and the hub is not told; returns the event."""
    await market.sandbox.customer_approves(await payment_of(order_id))
    events = await market.sandbox.objects("stripe", "event")
    return next(str(event["id"]) for event in events if event["type"] == "payment_intent.succeeded")


async def label_of_which_nobody_heard(market: Market) -> tuple[str, str]:
    """The answer of a purchase is lost, and its run does not come back; returns whose it is, and the label."""
    await market.sandbox.fault("shippo", "buy label", "drop", when="after")
    await goes_on(order_id := await placed())
    lost = await effect(order_id, "label")
    assert lost.state == EffectState.UNKNOWN
    await is_long_ago(lost)
    return order_id, (await market.sandbox.objects("shippo", "transaction"))[0]["object_id"]


async def mail_of_which_nothing_is_heard(market: Market) -> str:
    mail = await effect(await market.order(), "mail")
    await is_long_ago(mail)
    return mail.reference or ""


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_chance_has_done_is_found_and_no_more(market: Market, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated
    orders = await asyncio.gather(*(market.order() for _ in range(12)))
    await market.listen()
    await market.withhold()
    planted: dict[Deed, Planted] = {}
    for order_id in orders:
        for deeds in (CHARGES if chance.random() < 0.5 else REFUNDS, LABELS, MESSAGES):
            if chance.random() < 0.4:
                deed = chance.choice(deeds)
                planted[deed] = planted.get(deed, set()) | await deed(market, order_id)
    await market.has_settled()

    first, second = await market.reconciled(), await market.reconciled()

    assert told_of(first) == sorted(set().union(*planted.values()))
    assert told_of(second) == sorted(set().union(*(some for deed, some in planted.items() if deed not in REPAIRED)))
    assert (second.repaired, second.drift) == (0, first.drift)


async def test_what_is_under_way_is_no_difference(market: Market) -> None:
    await market.sandbox.fault("shippo", "buy label", "drop", when="after")
    await goes_on(order_id := await placed())

    report = await market.reconciled()

    is_clean(report)
    assert (await effect(order_id, "label")).state == EffectState.UNKNOWN


async def test_two_at_once_repair_everything_once(market: Market) -> None:
    order_id = await market.order()
    await market.listen()
    await market.withhold()
    await money_is_given_back(market, order_id)

    await asyncio.gather(market.reconciled(), market.reconciled())

    assert (await kinds_of(order_id)).count("refund settled") == 1
    assert (await row_of(order_id)).refunded == 1_000
    await market.sandbox.release_webhooks()
    await market.listen()
    assert (await row_of(order_id)).refunded == 1_000
    is_clean(await market.reconciled())


async def test_a_provider_that_is_away_keeps_nobody_from_the_others(market: Market) -> None:
    await market.order()
    await market.listen()
    await market.sandbox.fault("shippo", "list labels", "status", times=None, status=503)
    await market.sandbox.fault("stripe", "list refunds", "status", status=429, retry_after=1)

    report = await market.reconciled()

    notes = {one.provider: one.note for one in report.providers}
    assert notes["shippo"].startswith("not compared to the end: shippo could not list the labels")
    assert (notes["stripe"], notes["slack"]) == ("", "")
    assert "shippo" in report.text()


async def test_the_team_is_told_once_also_when_nobody_heard_that_it_was(market: Market) -> None:
    begun = await market.begin()
    with in_bulk():
        report = await conclude(begun, [])
        await market.sandbox.fault("slack", "post message", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await tell_team(begun, report)
        await tell_team(begun, report)
        await tell_team(await begin_reconciliation(begun.id), report)

    [posted] = await market.sandbox.objects("slack", "message")
    assert posted["text"] == report.text()
    assert report.audit_heads in posted["text"]
    assert await report_of(begun.id) == report


async def test_the_doctor_says_how_the_last_one_ended(market: Market) -> None:
    await market.reconciled()
    well = await reconciliation()
    await a_charge_is_removed(market, await market.order())
    await market.reconciled()

    with pytest.raises(Problem, match=r"differ by 100\.00 USD"):
        await reconciliation()
    await sql("UPDATE reconciliations SET finished_at = finished_at - interval '2 days'")
    with pytest.raises(Problem, match="the last one was finished"):
        await reconciliation()
    assert "0 differences" in well


async def test_a_reconciliation_that_is_begun_again_is_about_the_same_period() -> None:
    first = await begin_reconciliation("rec-again")

    again = await begin_reconciliation("rec-again", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert (again.period, again.started_at) == (first.period, first.started_at)
    assert first.period.until - first.period.since == PERIOD
    with pytest.raises(NotAPeriod):
        await begin_reconciliation("rec-never", since=datetime(2999, 1, 1, tzinfo=UTC))
