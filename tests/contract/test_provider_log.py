"""What crosses the boundary to a provider is seen: one log line and one span for each fact, one trace for each order, nobody's data."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from io import StringIO

import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sqlmodel import col, select

from blocks.telemetry import start_tracing
from hub.database import transaction
from hub.orders import Order
from hub.provider_log import lines_to, log
from hub.tables import AttemptRow, EffectRow
from tests.contract.ledger_kit import Shop, effect_of, payment_effect, placed, sql
from tests.contract.notice_kit import handled, payment_told
from tests.contract.process_kit import accounts_of, goes_on, snapshot_of
from tests.contract.webhook_receiver import running_receiver

CUSTOMER = {"email": "grace.hopper@example.net", "name": "Grace Hopper", "phone": "+15005550006"}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield shop


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What a program reads of the log."""
    written = StringIO()
    handler = lines_to(written)
    log.addHandler(handler)
    yield written
    log.removeHandler(handler)


async def test_every_call_look_and_notice_of_an_order_is_one_line_without_the_customer(shop: Shop, lines: StringIO) -> None:
    await shop.sandbox.fault("stripe", "create payment", "drop", "after")
    order = await until_told()

    facts = [json.loads(line) for line in lines.getvalue().splitlines()]
    mine = [fact for fact in facts if fact["correlation_id"] == order.correlation_id]
    asked = Counter((fact["effect_key"], fact["kind"]) for fact in mine if fact["kind"] != "notice")
    assert asked == Counter(await attempts_of_order(order))
    assert {"unknown", "done"} <= {fact["outcome"] for fact in mine}
    assert [(fact["provider"], fact["outcome"]) for fact in mine if fact["kind"] == "notice"] == [("stripe", "handled")]
    assert all(fact["milliseconds"] >= 0 for fact in mine)
    assert not [word for word in (*CUSTOMER.values(), "Hopper") if word in lines.getvalue()]


async def test_one_trace_holds_the_runs_calls_and_webhooks_of_an_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_receiver() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        start_tracing("hub-test")
        order = await until_told()
        await asyncio.to_thread(trace.get_tracer_provider().shutdown)  # type: ignore[attr-defined]  # the SDK's, which sends what is left

    spans = [span for sent in collector.received for span in spans_in(sent.body) if span.trace_id.hex() == order.correlation_id]
    runs = {span.span_id for span in spans if span.name == "order run"}
    assert {span.name.partition(" ")[0] for span in spans if span.parent_span_id in runs} == {"stripe", "shippo", "sendgrid", "slack"}
    (heard,) = [span for span in spans if span.name == "stripe payment_intent.succeeded"]
    assert heard.kind == Span.SPAN_KIND_CONSUMER
    assert not [word for word in CUSTOMER.values() for sent in collector.received if word.encode() in sent.body]


async def until_told() -> Order:
    """An order that was run, and whose payment was told of."""
    order_id = await placed(customer=CUSTOMER)
    for _ in range(2):
        await goes_on(order_id)
    order = await snapshot_of(order_id)
    payment = await effect_of(payment_effect(order))
    await handled(payment_told("succeeded", order, payment.reference or ""))
    return order


async def attempts_of_order(order: Order) -> list[tuple[str, str]]:
    asked = select(col(AttemptRow.effect_key), col(AttemptRow.kind)).join(EffectRow, col(EffectRow.key) == col(AttemptRow.effect_key))
    async with transaction() as session:
        return [(key, kind) for key, kind in await session.exec(asked.where(col(EffectRow.subject_id) == order.id))]


def spans_in(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
