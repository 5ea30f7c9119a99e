"""`GET /metrics`: exact numbers, computed from the rows, that never go backwards."""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from gateway.metrics import PREFIX
from hub.api_keys import add_key
from hub.audit import verify_chains
from hub.beginning import begin
from hub.begun import Ask
from hub.effects import Effect
from hub.errors import Misconfigured, NotSent, OutcomeUnknown, Refused
from hub.exchange import Exchange
from hub.gate_views import limit, pause
from hub.kinds import KINDS
from hub.metrics import METRICS
from hub.settling import refused, settle
from hub.stock import reserve
from hub.tallies import BOUNDS
from tests.contract.gateway_process import running_gateway
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    attempts_of,
    changed,
    dies,
    payment_effect,
    placed,
    run_of_a_new_order,
    sql,
    team_effect,
    time_passes,
)
from tests.contract.metrics_kit import counted, scrape
from tests.contract.notice_kit import handled, payment_told, told, warehouse_told

PAYMENT = {"provider": "stripe", "action": "take the payment"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway, asked with the key that Prometheus has."""
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        key = await add_key("prometheus", ("metrics:read",))
        async with running.with_key(key) as client:
            yield client


async def test_prometheus_needs_a_key_that_opens_metrics_and_its_key_opens_nothing_else(gateway: httpx.AsyncClient) -> None:
    shop_key = {"Authorization": f"Bearer {await add_key('a shop', ('orders:read', 'orders:write'))}"}

    assert (await gateway.get("/metrics", headers={"Authorization": ""})).status_code == 401
    assert (await gateway.get("/metrics", headers=shop_key)).status_code == 403
    assert (await gateway.get("/orders")).status_code == 403
    assert (await gateway.get("/metrics")).headers["content-type"].startswith("text/plain; version=")
    modern = await gateway.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_whatever_happens_at_providers_is_counted_as_the_ledger_and_the_providers_have_it(
    shop: Shop, gateway: httpx.AsyncClient
) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.mail(order)
        await shop.tell_team(order)
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)
    async with run_of_a_new_order() as order:
        await shop.sandbox.fault("stripe", "create payment", "status", status=429)
        with pytest.raises(NotSent):
            await shop.until_paid(order)
        await shop.sandbox.fault("stripe", "create payment", "drop", when="after")
        with pytest.raises(OutcomeUnknown):
            await shop.pay(order)
        await shop.pay(order)
        await shop.sandbox.fault("slack", "post message", "drop", when="after")
        await shop.label(order, (await shop.quote(order)).rates[0].rate_id)
        with pytest.raises(OutcomeUnknown):
            await shop.tell_team(order)
        lost = team_effect(order)
        await sql("UPDATE attempts SET settles_at = clock_timestamp() - interval '1 s' WHERE effect_key = :key", key=lost.key)
        await shop.tell_team(order)
        await shop.sandbox.fault("sendgrid", "send mail", "status", status=403)
        with pytest.raises(Misconfigured):
            await shop.mail(order)

    seen = await scrape(gateway)

    assert [call.outcome for call in await attempts_of(lost)] == ["found"]
    assert seen.value("hub_provider_calls_total", provider="slack", action="tell the team", kind="call", outcome="unknown") == 1
    assert seen["hub_provider_calls_total"] - Counter({("tell the team", "call", "unknown", "slack"): 1}) == await counted(
        """
        SELECT e.action, a.kind, a.outcome, e.provider, count(*) FROM attempts a JOIN effects e ON e.key = a.effect_key
        WHERE NOT (a.kind = 'call' AND a.outcome = 'found') GROUP BY 1, 2, 3, 4
        """
    )
    assert seen["hub_provider_retries_total"] == {("take the payment", "stripe"): 2}
    for provider, action, kind in (
        ("stripe", "take the payment", "charge"),
        ("shippo", "buy the label", "label"),
        ("sendgrid", "mail the customer", "mail"),
    ):
        done = seen.value("hub_provider_calls_total", provider=provider, action=action, kind="call", outcome="done")
        assert done == await shop.sandbox.count(provider, kind)
    for provider in ("stripe", "shippo", "sendgrid", "slack"):
        assert seen.sum("hub_provider_calls_total", provider=provider) == len(await shop.sandbox.requests(provider))
    for bound in BOUNDS:
        no_longer = f"extract(epoch FROM a.ended_at - a.started_at) <= '{bound}'::float8::numeric"
        assert seen.sum("hub_provider_call_duration_seconds_bucket", le="+Inf" if bound == float("inf") else str(bound)) == sum(
            (await counted(f"SELECT count(*) FROM attempts a WHERE a.outcome IS NOT NULL AND {no_longer}")).values()  # noqa: S608 - ours
        )
    took = (await counted("SELECT sum(extract(epoch FROM ended_at - started_at))::float8 FROM attempts"))[()]
    assert seen.sum("hub_provider_call_duration_seconds_sum") == pytest.approx(took, rel=1e-9)


async def test_orders_are_counted_by_status_and_money_by_currency(shop: Shop, gateway: httpx.AsyncClient) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
    before = await scrape(gateway)
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)

    after = await scrape(gateway)

    money = {"operation": "charged", "currency": order.money.currency}
    gained = after.value("hub_payment_amount_minor_units_total", **money) - before.value("hub_payment_amount_minor_units_total", **money)
    assert gained == order.money.amount
    assert after["hub_payment_audit_entries_total"] == await counted(
        "SELECT currency, operation, count(*) FROM payment_audit GROUP BY currency, operation"
    )
    assert set(KINDS) == {kind for _, labels in after.values if labels for name, kind in labels if name == "kind"} - {"call", "look"}
    for kind in KINDS.values():
        of_kind = await counted(f"SELECT '{kind.name}', status, count(*) FROM {kind.row.__tablename__} GROUP BY status")  # noqa: S608 - ours
        assert {labels: number for labels, number in after["hub_subjects"].items() if labels[0] == kind.name} == of_kind


@pytest.mark.parametrize("kind", KINDS)
async def test_subjects_of_every_kind_come_move_and_go_in_the_metrics(kind: str, hub_database: str, gateway: httpx.AsyncClient) -> None:
    del hub_database
    triggers = await counted(
        f"SELECT tgname::text, count(*) FROM pg_trigger WHERE tgrelid = '{KINDS[kind].row.__tablename__}'::regclass GROUP BY 1"  # noqa: S608 - ours
    )

    assert {("comings_are_tallied",), ("moves_are_tallied",)} <= set(triggers)
    assert ("subjects_parked", kind) in {
        (name.removeprefix(PREFIX), dict(labels).get("kind")) for name, labels in (await scrape(gateway)).values
    }


async def test_what_waits_is_shown_with_its_age(shop: Shop, gateway: httpx.AsyncClient) -> None:
    due, parked, troubled = await placed(), await placed(), await placed()
    await sql("UPDATE orders SET resume_at = clock_timestamp() - interval '90 s' WHERE id = :id", id=due)
    await sql("UPDATE orders SET resume_at = clock_timestamp() + interval '1 h' WHERE id = :id", id=parked)
    await sql("UPDATE orders SET resume_at = NULL, attention = 'look' WHERE id = :id", id=troubled)
    async with run_of_a_new_order() as order:
        await shop.sandbox.fault("stripe", "create payment", "drop")
        with pytest.raises(OutcomeUnknown):
            await shop.until_paid(order)
    await time_passes(payment_effect(order), SETTLED_SECONDS + 600)
    await handled(told("stripe", "payment_intent.succeeded", {"nothing": "useful"}), warehouse_told("packed", "o-never-placed"))
    await pause("twilio", because="a test")

    seen = await scrape(gateway)

    assert seen.value("hub_subjects_due_age_seconds", kind="order") == pytest.approx(90, abs=30)
    assert seen.value("hub_subjects_parked", kind="order") >= 1
    assert seen.value("hub_subjects_needing_attention", kind="order") >= 1
    assert seen.value("hub_provider_open_effects", **PAYMENT, state="unknown") == 1
    assert seen.value("hub_provider_unanswered_age_seconds", **PAYMENT) == pytest.approx(600 + SETTLED_SECONDS, abs=30)
    assert seen.value("hub_inbox_stuck_notices", provider="stripe", state="failed") == 1
    assert seen.value("hub_inbox_backlog", provider="custom", state="early") == 1
    assert seen.value("hub_inbox_backlog_age_seconds", provider="custom", state="early") > 0
    assert [state for state in ("open", "closed", "paused") if seen.value("hub_provider_gate_state", provider="twilio", state=state)] == [
        "paused"
    ]


async def test_the_way_from_receipt_to_applied_is_measured(shop: Shop, gateway: httpx.AsyncClient) -> None:
    before = await scrape(gateway)
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
    await handled(payment_told("succeeded", order, payment.payment_id))

    after = await scrape(gateway)

    for name in ("hub_inbox_handling_seconds_count", "hub_inbox_notices_total"):
        assert after.sum(name, provider="stripe") - before.sum(name, provider="stripe") == 1
    ended = "SELECT provider, state, count(*) FROM notices WHERE handled_at IS NOT NULL OR state = 'failed' GROUP BY 1, 2"
    assert after["hub_inbox_notices_total"] == await counted(ended)


async def test_duplicates_and_waits_for_a_limit_are_counted(shop: Shop, gateway: httpx.AsyncClient) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        [attempt] = await attempts_of(payment_effect(order))
        await settle(payment_effect(order), attempt.id, Exchange(), payment.model_copy(update={"payment_id": "pi_another"}))
    await limit("stripe", 2)
    async with run_of_a_new_order() as first, run_of_a_new_order() as second:
        await shop.until_paid(first)
        await shop.until_paid(second)

    seen = await scrape(gateway)

    assert seen.value("hub_provider_duplicates_total", **PAYMENT) == 1
    assert seen.value("hub_provider_rate_limit_wait_seconds_count", provider="stripe") == 1
    assert 0 < seen.value("hub_provider_rate_limit_wait_seconds_sum", provider="stripe") <= 0.5


async def test_counters_never_go_backwards_also_when_attempts_are_deleted(shop: Shop, gateway: httpx.AsyncClient) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
    before = await scrape(gateway)
    await sql("DELETE FROM attempts WHERE effect_key = :key", key=payment_effect(order).key)

    after = await scrape(gateway)

    assert {key: number for key, number in before.values.items() if key[0].endswith(("_total", "_bucket", "_sum", "_count"))}.items() <= (
        after.values.items()
    )


async def test_scrapes_and_calls_at_the_same_time_lose_nothing_count_nothing_twice_and_never_go_back(
    shop: Shop, gateway: httpx.AsyncClient
) -> None:
    await fill_up_to(950)  # so that one of the calls writes the thousandth entry
    name, labels = "hub_provider_calls_total", {**PAYMENT, "kind": "call", "outcome": "refused"}
    before = (await scrape(gateway)).value(name, **labels)
    busy = True

    async def look() -> list[float]:
        seen = [before]
        while busy:
            seen.append((await scrape(gateway)).value(name, **labels))
        return seen

    async def asked() -> tuple[Effect, int]:
        order = await dies(await placed())
        await reserve(order)
        ask = await begin(payment_effect(order), shop.stripe.terms)
        assert isinstance(ask, Ask)
        return payment_effect(order), ask.attempt_id

    no = Refused("stripe", "take the payment", "no", "generic_decline")
    async with changed(lease_seconds="60"):
        calls = [await asked() for _ in range(20)]
    looking = [asyncio.create_task(look()) for _ in range(2)]
    await asyncio.gather(*(refused(effect, attempt_id, Exchange(), no) for effect, attempt_id in calls))
    busy = False

    for seen in await asyncio.gather(*looking):
        assert seen == sorted(seen)
    after = await scrape(gateway)
    assert after.value(name, **labels) == before + 20


async def test_entries_do_not_pile_up_when_nobody_scrapes(shop: Shop, gateway: httpx.AsyncClient) -> None:
    del shop
    filler = {"operation": "filler", "currency": "xxx"}
    before = (await scrape(gateway)).value("hub_payment_audit_entries_total", **filler)

    filled = sum([await fill_up_to(1) for _ in range(3)])

    assert (await counted("SELECT count(*) FROM tally_entries"))[()] < 1000
    assert (await scrape(gateway)).value("hub_payment_audit_entries_total", **filler) == before + filled


async def fill_up_to(remainder: int) -> int:
    """Write entries until the last number, divided by a thousand, leaves this remainder; return how many."""
    last = (await counted("SELECT last_value::int FROM tally_entries_id_seq"))[()]
    missing = (remainder - last) % 1000 or 1000
    await sql("INSERT INTO tally_entries (name, labels, value) SELECT 'audit', '{filler,xxx}', 0 FROM generate_series(1, :n)", n=missing)
    return missing


async def test_broken_chains_of_the_audit_log_are_shown_once_somebody_has_looked(shop: Shop, gateway: httpx.AsyncClient) -> None:
    del shop
    assert not [key for key in (await scrape(gateway)).values if key[0] == "hub_payment_audit_broken_chains"]

    await verify_chains()

    assert (await scrape(gateway)).values["hub_payment_audit_broken_chains", frozenset()] == 0


async def test_everything_shown_is_declared_and_durations_have_the_declared_buckets(shop: Shop, gateway: httpx.AsyncClient) -> None:
    del shop
    exposed = (await scrape(gateway)).families

    declared = {PREFIX + metric.name: metric for metric in METRICS}
    assert set(exposed) == set(declared)
    for name, family in exposed.items():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(declared[name].labels)
    values = ",".join(f"{bound},{bound + 0.001}" for bound in (0, *BOUNDS[:-1]))
    bounds = await counted(f"SELECT bucket_of_seconds(v)::text, count(*) FROM unnest('{{{values}}}'::numeric[]) v GROUP BY 1")  # noqa: S608 - ours
    assert {float(bound) for (bound,) in bounds} == set(BOUNDS)


async def test_a_hub_that_is_upgraded_counts_what_was_before(shop: Shop, gateway: httpx.AsyncClient) -> None:
    await sql("DELETE FROM attempts WHERE outcome IN ('found', 'unknown') AND kind = 'call'")  # these were counted as they were first known
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
    await scrape(gateway)
    await sql("WITH entries AS (DELETE FROM tally_entries) DELETE FROM tallies")
    for statement in importlib.import_module("hub.migrations.versions.0012_tallies").HISTORY:
        await sql(statement)

    seen = await scrape(gateway)

    calls = "SELECT action, kind, outcome, provider, count(*) FROM attempts JOIN effects ON key = effect_key WHERE outcome IS NOT NULL"
    assert seen["hub_provider_calls_total"] == await counted(f"{calls} GROUP BY 1, 2, 3, 4")
    assert seen["hub_subjects"] == await counted("SELECT 'order', status, count(*) FROM orders GROUP BY status")
    assert seen["hub_payment_audit_entries_total"] == await counted("SELECT currency, operation, count(*) FROM payment_audit GROUP BY 1, 2")
    assert seen["hub_provider_retries_total"] == {("take the payment", "stripe"): 1}
    assert seen["hub_inbox_notices_total"].total() == 2
