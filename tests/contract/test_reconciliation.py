"""What was changed behind the hub's back is found, and nothing else: what is certain is repaired, a person looks where money is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import pytest_asyncio
from sqlmodel import select

from hub.attention import attention_list
from hub.database import transaction
from hub.errors import OutcomeUnknown
from hub.facets import Status
from hub.messages import TeamMessage, TextRequest
from hub.parcels import LabelRequest, VoidRequest
from hub.payments import PaymentRequest
from hub.reconciliation.periods import PERIOD, NotAPeriod, begin_reconciliation, report_of
from hub.reconciliation.reports import Report
from hub.reconciliation_tables import SightingRow
from hub.steps import EffectState
from hub.subject_rows import hub_identity
from tasks.bulk import in_bulk
from tasks.reconciling import conclude, tell_team
from tests.contract.ledger_kit import facts_of, placed, row_of
from tests.contract.process_kit import goes_on, rests, row_of_subject
from tests.contract.reconciling_kit import HAS_A_PHONE, Market, effect, is_long_ago, open_market, told_of
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_receiver import Receiver

AMOUNT = 10_000
LISTED = ("nobody asked for it", "gone", "another amount", "done twice", "something else", "not heard of")
ANOTHER_HUB = UUID("3f1c0000-0000-4000-8000-0000000000ff")


@pytest_asyncio.fixture(loop_scope="session")
async def market(both: tuple[Sandbox, Receiver], hub_database: str) -> AsyncIterator[Market]:
    async with open_market(*both) as market:
        yield market


async def my_hub() -> UUID:
    async with transaction() as session:
        return (await hub_identity(session)).hub_id


async def payment_of(order_id: str) -> str:
    return (await row_of(order_id)).payment_id or ""


async def kinds_of(order_id: str) -> list[str]:
    return [fact.kind for fact in await facts_of(order_id)]


def is_clean(report: Report) -> None:
    assert told_of(report) == []
    assert (report.drift, report.broken) == ({}, 0)


async def test_a_hub_that_was_told_everything_has_no_differences(market: Market) -> None:
    await asyncio.gather(*(market.order() for _ in range(30)))
    await market.order(**HAS_A_PHONE)
    await market.order(paymentMethod="pm_card_chargeDeclined")
    await market.order(paymentMethod="pm_card_authenticationRequired")
    await market.order(shipping={"address": "1 Main St", "city": "Nowhere", "state": "CA", "zip": "00000"})
    await market.release()
    await market.listen()

    report = await market.reconciled()

    is_clean(report)
    compared = {one.provider: one.compared for one in report.providers}
    assert compared["stripe"] >= 35
    assert compared["shippo"] == 31
    assert compared["slack"] >= 34
    assert (compared["twilio"], compared["github"]) == (1, 1)
    assert compared["sendgrid"] >= 31


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


Planted = set[tuple[str, str, str]]
"""Provider, way, and the provider's id."""


async def charges(market: Market, inserted: str, removed: str, altered: str) -> Planted:
    """A charge that nobody asked for, one that is gone, and one of another amount."""
    hub_id = await my_hub()
    metadata = {"hub_id": str(hub_id), "order_id": inserted, "effect": f"{hub_id}:order:{inserted}:payment:7"}
    new = {"like": await payment_of(inserted), "id": "pi_inserted", "metadata": metadata}
    await market.sandbox.tamper("stripe", "payment_intent", "pi_inserted", **new)
    await market.sandbox.take_away("stripe", "payment_intent", await payment_of(removed))
    await market.sandbox.tamper("stripe", "payment_intent", await payment_of(altered), amount=AMOUNT - 1, amount_received=AMOUNT - 1)
    return {
        ("stripe", "nobody asked for it", "pi_inserted"),
        ("stripe", "gone", await payment_of(removed)),
        ("stripe", "another amount", await payment_of(altered)),
    }


async def untold(market: Market, refunded: str, forgotten: str, waiting: str) -> Planted:
    """Two refunds by hand, of one of which Stripe keeps no event any more, and a customer who has paid; of all of it nobody was told."""
    await market.sandbox.world(f"stripe/payments/{await payment_of(forgotten)}/refund", amount=500)
    planted: Planted = set()
    for event in (await market.sandbox.objects("stripe", "event"))[:2]:
        await market.sandbox.take_away("stripe", "event", event["id"])
    planted |= {("stripe", "done by hand", one["id"]) for one in await market.sandbox.objects("stripe", "refund")}
    await market.sandbox.world(f"stripe/payments/{await payment_of(refunded)}/refund", amount=1_000)
    await market.sandbox.customer_approves(await payment_of(waiting))
    news = ("refund.created", "charge.refunded", "payment_intent.succeeded")
    youngest = (await market.sandbox.objects("stripe", "event"))[:4]
    return planted | {("stripe", "missed news", event["id"]) for event in youngest if event["type"] in news}


async def labels(market: Market, voided: str, doubled: str) -> tuple[Planted, str]:
    """A label given back by hand, a second one, and one of which nobody heard that it was bought; returns whose that is, too."""
    label, first = await effect(voided, "label"), await effect(doubled, "label")
    await market.shop.shippo.void_label(VoidRequest(label_id=label.reference or ""), key="by hand")
    second = await market.shop.shippo.buy_label(LabelRequest.model_validate(first.request), key="by hand")
    await market.sandbox.fault("shippo", "buy label", "drop", when="after")
    await goes_on(unheard := await placed())
    lost = await effect(unheard, "label")
    assert lost.state == EffectState.UNKNOWN
    await is_long_ago(lost)
    found = (await market.sandbox.objects("shippo", "transaction"))[0]
    planted = {("shippo", "done by hand", label.reference or ""), ("shippo", "done twice", second.label_id)}
    return planted | {("shippo", "nobody knew here", found["object_id"])}, unheard


async def messages(market: Market, told_twice: str, deleted: str, texted: str) -> Planted:
    """A message too many, one that somebody has deleted, a text too many, and a mail of which nothing is heard."""
    hub_id, team, message = await my_hub(), await effect(told_twice, "team"), await effect(deleted, "team")
    extra = await market.shop.slack.post_message(TeamMessage.model_validate(team.request), key=f"{hub_id}:{team.key}")
    await market.sandbox.take_away("slack", "message", f"{message.request['channel']}:{message.reference}")
    text = await effect(texted, "text.mail")
    request = TextRequest.model_validate(text.request | {"status_callback": None})
    again = await market.shop.twilio.send_text(request, key=f"{hub_id}:{text.key}")
    mail = await effect(await market.order(), "mail")
    await is_long_ago(mail)
    return {
        ("slack", "done twice", extra.timestamp),
        ("slack", "gone", message.reference or ""),
        ("twilio", "done twice", again.sid),
        ("sendgrid", "not heard of", mail.reference or ""),
    }


async def deployments(market: Market, moved: str, altered: str) -> Planted:
    """A deployment that went on without a word, and one to another environment."""
    progressed, deployment = await effect(moved, "deployment"), await effect(altered, "deployment")
    await market.sandbox.world(f"github/deployments/{progressed.reference}", state="success")
    await market.sandbox.tamper("github", "deployment", deployment.reference or "", environment="staging")
    return {("github", "missed news", progressed.reference or ""), ("github", "something else", deployment.reference or "")}


async def things_of_others(market: Market) -> None:
    """What another hub and another system have done in the same accounts."""
    metadata = {"hub_id": str(ANOTHER_HUB)}
    for key in (f"{ANOTHER_HUB}:order:o-1:payment:1", "somebody's own"):
        payment = PaymentRequest(amount=100, currency="usd", payment_method="pm_card_visa", description="", metadata=metadata)
        await market.shop.stripe.take_payment(payment, key=key)
        await market.shop.slack.post_message(TeamMessage(channel="C0HUBTEAM", text="Lunch?", metadata=metadata), key=key)
        await market.shop.twilio.send_text(TextRequest(to="+14155550199", text="Hello"), key=key)


async def test_every_planted_difference_is_found_and_no_other(market: Market) -> None:
    inserted, removed, altered, refunded, forgotten, voided, doubled, told_twice, deleted = await asyncio.gather(
        *(market.order() for _ in range(9))
    )
    texted, waiting = await market.order(**HAS_A_PHONE), await market.order(paymentMethod="pm_card_authenticationRequired")
    moved, elsewhere = await market.release(), await market.release()
    await market.listen()
    is_clean(await market.reconciled())

    await market.withhold()
    planted = await charges(market, inserted, removed, altered) | await untold(market, refunded, forgotten, waiting)
    about_labels, unheard = await labels(market, voided, doubled)
    planted |= about_labels | await messages(market, told_twice, deleted, texted) | await deployments(market, moved, elsewhere)
    await things_of_others(market)
    await market.has_settled()

    report = await market.reconciled()

    assert told_of(report) == sorted(planted)
    assert {"refund settled"} <= set(await kinds_of(refunded)) & set(await kinds_of(forgotten))
    assert (await row_of(waiting)).status == Status.PAID
    assert "label voided" in await kinds_of(voided)
    assert (await effect(unheard, "label")).state == EffectState.DONE
    assert (await row_of_subject(moved, "release")).status == "success"
    assert report.drift == {"usd": -AMOUNT + AMOUNT + 1}
    called = {one.what for one in await attention_list()}
    assert {f"order {order_id}" for order_id in (inserted, removed, altered, voided, doubled)} == called
    left = {one for one in planted if one[1] in LISTED}
    assert report.repaired == len(planted) - len(left)

    again = await market.reconciled()

    assert told_of(again) == sorted(left)
    assert (again.repaired, again.drift) == (0, report.drift)
    assert (await kinds_of(removed)).count("needs attention") == 1
    assert (await rests(unheard)).status == Status.CONFIRMED
    assert await market.sandbox.count("shippo", "label", unheard) == 1


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
    await market.sandbox.world(f"stripe/payments/{await payment_of(order_id)}/refund", amount=1_000)

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


async def test_a_reconciliation_that_is_begun_again_is_about_the_same_period() -> None:
    first = await begin_reconciliation("rec-again")

    again = await begin_reconciliation("rec-again", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert (again.period, again.started_at) == (first.period, first.started_at)
    assert first.period.until - first.period.since == PERIOD
    with pytest.raises(NotAPeriod):
        await begin_reconciliation("rec-never", since=datetime(2999, 1, 1, tzinfo=UTC))
