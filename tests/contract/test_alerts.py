"""Each alert is raised by the trouble that it is for, and gone once the runbook's step is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from hub.api_keys import add_key, revoke_key
from hub.audit import verify_chains
from hub.beginning import begin
from hub.begun import Ask
from hub.effects import Parked
from hub.errors import Misconfigured, NotSent, OutcomeUnknown
from hub.exchange import Exchange
from hub.gate_views import pause, resume, set_breaker
from hub.inbox import keep
from hub.intake import go_on
from hub.notice_views import replay_all
from hub.notices import NoticeState
from hub.refused import note_refused
from hub.settling import settle
from hub.stock import reserve
from tests.contract.gateway_process import Gateway, running_gateway
from tests.contract.ledger_kit import (
    STRIPE_KEY,
    Shop,
    attempts_of,
    ends_with,
    payment_effect,
    placed,
    run,
    run_of_a_new_order,
    sql,
    time_passes,
)
from tests.contract.metrics_kit import Scrape
from tests.contract.notice_kit import handled, notice_of, payment_told, told
from tests.contract.promql_kit import History

RULES = Path(__file__).parents[2] / "deployments" / "observability" / "hub_alerts.yml"
ALERTS: dict[str, str] = {rule["alert"]: rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
MINUTE, LONGER_THAN_ANY_RANGE = 60.0, 7200.0
MANY = 21

Trouble = Callable[["Prometheus", Shop], AsyncIterator[None]]
TROUBLES: dict[str, Trouble] = {}


class Prometheus:
    """Scrapes the gateway with its key, by a clock that the test moves."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.gateway, self.key = gateway, key
        self.history, self._clock = History(), 0.0

    async def scrapes(self, later: float = MINUTE) -> None:
        self._clock += later
        async with self.gateway.with_key(self.key) as client:
            answer = await client.get("/metrics")
        seen = Scrape(answer.text if answer.is_success else "")
        seen.values["up", frozenset({("job", "hub")})] = float(answer.is_success)
        self.history.scrapes.append((self._clock, seen))

    def raises(self, alert: str) -> bool:
        return bool(self.history.raises(ALERTS[alert]))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest.mark.parametrize("alert", ALERTS)
async def test_an_alert_is_raised_by_its_trouble_and_gone_after_the_cure(alert: str, shop: Shop, gateway: Gateway) -> None:
    prometheus = Prometheus(gateway, await add_key(f"prometheus for {alert}", ("metrics:read",)))
    await prometheus.scrapes()
    assert not prometheus.raises(alert)

    async with asynccontextmanager(TROUBLES[alert])(prometheus, shop):
        await prometheus.scrapes()
        assert prometheus.raises(alert)

    await prometheus.scrapes(later=LONGER_THAN_ANY_RANGE)
    assert not prometheus.raises(alert)


def trouble(alert: str) -> Callable[[Trouble], Trouble]:
    def known(it: Trouble) -> Trouble:
        TROUBLES[alert] = it
        return it

    return known


@trouble("HubDown")
async def key_revoked(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await revoke_key("prometheus for HubDown")
    yield
    prometheus.key = await add_key("another for HubDown", ("metrics:read",))


@trouble("HubNothingSweeps")
async def nobody_sweeps(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    order_id = await placed()
    await sql("UPDATE orders SET resume_at = clock_timestamp() - interval '5 min' WHERE id = :id", id=order_id)
    yield
    await swept(shop, order_id)


async def swept(shop: Shop, *order_ids: str) -> None:
    """Somebody takes the orders up."""
    for order_id in order_ids:
        async with run(order_id) as order:
            await shop.until_paid(order)


@trouble("HubNeedsAttention")
async def a_person_is_needed(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    order_id = await charged_twice(shop)
    yield
    await go_on(order_id)


async def charged_twice(shop: Shop) -> str:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        [attempt] = await attempts_of(payment_effect(order))
        await settle(payment_effect(order), attempt.id, Exchange(), payment.model_copy(update={"payment_id": "pi_another"}))
    return order.id


@trouble("HubDuplicate")
async def done_twice(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    order_id = await charged_twice(shop)
    yield
    await go_on(order_id)


@trouble("HubParked")
async def parked_behind_a_gate(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await pause("stripe", because="their maintenance")
    order_ids = [await placed() for _ in range(MANY)]
    for order_id in order_ids:
        with ends_with(Parked, match="paused"):
            await swept(shop, order_id)
    yield
    assert await resume("stripe") >= MANY
    await swept(shop, *order_ids)


@trouble("HubCallUnanswered")
async def answer_lost(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
    with ends_with(Parked, match="the answer was lost"):
        async with run_of_a_new_order() as order:
            await shop.until_paid(order)
    await time_passes(payment_effect(order), 4000)
    yield
    await swept(shop, order.id)


@trouble("HubGateClosed")
async def gate_closed(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await with_a_wrong_key(shop)
    yield
    await shop.sandbox.restore("stripe", STRIPE_KEY)
    await resume("stripe")


@trouble("HubMisconfigured")
async def misconfigured(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await with_a_wrong_key(shop)
    yield
    await shop.sandbox.restore("stripe", STRIPE_KEY)
    await resume("stripe")


async def with_a_wrong_key(shop: Shop) -> None:
    await shop.sandbox.revoke("stripe", STRIPE_KEY)
    for _ in range(3):
        async with run_of_a_new_order() as order:
            with pytest.raises(Misconfigured):
                await shop.until_paid(order)


@trouble("HubGatePaused")
async def pause_forgotten(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await pause("twilio", because="somebody forgot")
    yield
    await resume("twilio")


@trouble("HubProviderErrors")
async def half_fails(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await set_breaker("stripe", on=False)
    await shop.sandbox.fault("stripe", "create payment", "status", status=503, times=MANY)
    for _ in range(MANY):
        async with run_of_a_new_order() as order:
            with pytest.raises(OutcomeUnknown):
                await shop.until_paid(order)
    yield
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)


@trouble("HubRateLimited")
async def turned_away(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, times=MANY)
    for _ in range(MANY):
        async with run_of_a_new_order() as order:
            with pytest.raises(NotSent):
                await shop.until_paid(order)
    yield


@trouble("HubProviderSlow")
async def slow(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    async with run_of_a_new_order() as order:
        await reserve(order)
        effect = payment_effect(order)
        ask = await begin(effect, shop.stripe.terms)
        assert isinstance(ask, Ask)
        await time_passes(effect, 20)
        await settle(effect, ask.attempt_id, Exchange(), await shop.charge(effect, ask.provider_key))
    yield


@trouble("HubInboxLate")
async def nobody_handles(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
    await keep([payment_told("succeeded", order, payment.payment_id)])
    await sql("UPDATE notices SET received_at = received_at - interval '5 min' WHERE state = 'kept'")
    yield
    await handled()


@trouble("HubNoticesStuck")
async def nobody_understands(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
    strange = told("stripe", "payment_intent.succeeded", {"data": {}})
    await handled(strange)
    yield
    mended = payment_told("succeeded", order, payment.payment_id)
    await sql("UPDATE notices SET content = :content WHERE id = :id", content=mended.content, id=(await notice_of(strange)).id)
    await replay_all(NoticeState.FAILED)
    await handled()


@trouble("HubDeliveriesRefused")
async def strangers_knock(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await note_refused({"github": MANY})
    yield


@trouble("HubAuditBroken")
async def audit_changed(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
    await changed_behind_the_triggers(order.id, "+ 1")
    yield
    await changed_behind_the_triggers(order.id, "- 1")


async def changed_behind_the_triggers(order_id: str, change: str) -> None:
    await sql("ALTER TABLE payment_audit DISABLE TRIGGER ALL")
    await sql(f"UPDATE payment_audit SET amount = amount {change} WHERE subject_id = :id AND number = 1", id=order_id)  # noqa: S608 - ours
    await sql("ALTER TABLE payment_audit ENABLE TRIGGER ALL")
    await verify_chains()


@trouble("HubAuditUnchecked")
async def audit_unchecked(prometheus: Prometheus, shop: Shop) -> AsyncIterator[None]:
    await verify_chains()
    await sql("UPDATE payment_audit_check SET at = at - interval '3 days'")
    yield
    await verify_chains()
