"""Who listens hears of each gate that closes or opens, once, when it is so; of one that stays as it is nobody hears anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.effects import Parked
from hub.gate_changes import GateChange, gates_told_to
from hub.gate_views import limit, pause, resume, set_breaker
from hub.policies import BREAKER
from hub.stock import reserve
from tests.contract.ledger_kit import Shop, ends_with, placed, run, sql

FAILED = "10 of 10 calls failed"


@pytest.fixture
def heard(shop: Shop) -> Iterator[list[tuple[str, str, str]]]:
    """What was told of gates so far: provider, state, reason."""
    del shop  # which begins with open gates
    told: list[tuple[str, str, str]] = []

    def hear(change: GateChange) -> None:
        told.append((change.provider, change.state, change.reason))

    with gates_told_to(hear):
        yield told


async def pays(shop: Shop, order_id: str | None = None) -> None:
    async with run(order_id or await placed()) as order:
        await reserve(order)
        await shop.pay(order)


async def parks(shop: Shop) -> None:
    with ends_with(Parked):
        await pays(shop)


async def the_wait_is_over() -> None:
    await sql("UPDATE provider_gates SET closed_until = clock_timestamp() WHERE closed_until IS NOT NULL")


async def test_an_outage_is_told_when_it_begins_and_when_it_is_over(shop: Shop, heard: list[tuple[str, str, str]]) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=503, times=None)
    for _ in range(BREAKER.least_calls - 1):
        await parks(shop)
    assert heard == []
    for _ in range(3):
        await parks(shop)
    assert heard == [("stripe", "closed", FAILED)]

    await the_wait_is_over()
    await parks(shop)  # a probe that fails leaves the gate as it was
    assert heard == [("stripe", "closed", FAILED)]
    await shop.sandbox.clear_faults()
    await the_wait_is_over()
    for _ in range(2):
        await pays(shop)
    assert [state for _, state, _ in heard] == ["closed", "opened"]


async def test_a_long_wish_for_patience_is_told_and_a_short_one_is_not(shop: Shop, heard: list[tuple[str, str, str]]) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=0.1)
    await pays(shop)
    assert heard == []

    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=600)
    await parks(shop)
    await parks(shop)
    assert heard == [("stripe", "closed", "it asks for patience")]
    await the_wait_is_over()
    await pays(shop)
    assert heard[1:] == [("stripe", "opened", "it asks for patience")]


async def test_a_persons_word_is_told_once(shop: Shop, heard: list[tuple[str, str, str]]) -> None:
    del shop
    for _ in range(2):
        await pause("twilio", "their maintenance")
    await limit("twilio", 10)
    await set_breaker("twilio", on=False)
    for _ in range(2):
        await resume("twilio")
    assert heard == [("twilio", "closed", "paused: their maintenance"), ("twilio", "opened", "paused: their maintenance")]


async def test_a_gate_that_is_paused_while_it_is_closed_opens_once(shop: Shop, heard: list[tuple[str, str, str]]) -> None:
    await shop.sandbox.fault("stripe", "create payment", "status", status=429, retry_after=600)
    await parks(shop)
    await pause("stripe", "to be sure")
    await resume("stripe")
    assert [(state, reason) for _, state, reason in heard] == [
        ("closed", "it asks for patience"),
        ("opened", "paused: to be sure"),
    ]
