"""One run at a time: the lease, its fence, and the letting go."""

from __future__ import annotations

import asyncio

import pytest

from hub.claims import Lease, current, hold, leased, restart_wait_seconds, take
from hub.database import transaction
from hub.effects import LeaseLost, Parked
from hub.errors import Misconfigured, OutcomeUnknown, Refused
from hub.facets import Status
from hub.facts import PaymentSettled
from hub.intake import raise_attempt
from hub.order_rows import NoSuchOrder
from hub.orders import Order
from hub.subject_rows import locked, record
from tests.contract.ledger_kit import Shop, changed, dies, ends_with, lease_ends, placed, row_of, run, runs_of, sql, until


async def paid_news(order_id: str) -> None:
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        news = PaymentSettled(attempt=row.attempt, payment_id="pi_1", charge_id="ch_1", amount=10000, currency="usd")
        await record(session, row, news, source="webhook")


async def still_holds(order: Order) -> None:
    async with transaction() as session:
        await hold(session, order)


async def test_two_runs_for_one_order_do_the_work_once_and_give_the_same_result(shop: Shop) -> None:
    order_id = await placed()

    async def works(run_id: str) -> tuple[bool, Status]:
        async with leased(order_id, run_id) as lease:
            if lease.is_mine:
                await shop.until_paid(lease.subject)
        return lease.is_mine, (await current(order_id)).status

    results = await asyncio.gather(works("one"), works("two"))

    assert [status for _, status in results] == [Status.PAID, Status.PAID]
    assert await shop.sandbox.count("stripe", "charge") == 1


async def test_the_loser_gets_the_winners_result_as_soon_as_there_is_nothing_left_to_do(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_threeDSecure2Required")
    first = await take(order_id, "one")
    assert isinstance(first, Lease)

    async def waits() -> Order:
        async with leased(order_id, "two") as lease:
            assert not lease.is_mine
            return lease.subject

    waiting = asyncio.create_task(waits())
    await shop.until_paid(first.subject)
    await first.let_go("rested", resume_in_seconds=None)

    order = await waiting
    assert order.rests
    assert not order.in_hand
    assert order.status == Status.AWAITING_PAYMENT


async def test_the_loser_of_a_long_run_hears_that_the_order_is_in_hand() -> None:
    order = await dies(await placed())
    async with changed(in_hand_seconds="0.3"), leased(order.id, "two") as lease:
        assert not lease.is_mine
        assert lease.subject.in_hand
        assert lease.subject.rests
    assert (await row_of(order.id)).lease_owner == order.run_id


async def test_a_lease_that_is_over_is_taken_over_under_a_higher_fence_and_the_old_holder_decides_nothing() -> None:
    order = await dies(await placed())
    await still_holds(order)
    await lease_ends(order)
    with pytest.raises(LeaseLost):
        await still_holds(order)

    heir = await take(order.id, "the heir")
    assert heir is not None
    assert heir.subject.fence == order.fence + 1
    await still_holds(heir.subject)
    with pytest.raises(LeaseLost):
        await still_holds(order)
    old = Lease(order, None)
    assert not await old.renew()
    await old.let_go("failed: late", resume_in_seconds=0)
    assert (await row_of(order.id)).lease_owner == "the heir"
    await heir.let_go("rested", resume_in_seconds=None)
    assert [(one.run_id, one.ended_as) for one in await runs_of(order.id)] == [(order.run_id, "failed: late"), ("the heir", "rested")]


async def test_a_lease_is_renewed_for_as_long_as_its_run_works() -> None:
    async with changed(lease_seconds="1"), run(await placed()) as order:
        first = (await row_of(order.id)).lease_until
        assert first is not None

        async def renewed_past_its_first_end() -> bool:
            row = await row_of(order.id)
            assert row.lease_until is not None
            return (row.lease_until - first).total_seconds() > 1

        await until(renewed_past_its_first_end)
        await still_holds(order)


@pytest.mark.parametrize(
    ("ending", "ended_as", "due_in", "count"),
    [
        pytest.param(None, "rested", None, 0, id="nothing more to do"),
        pytest.param(Parked(60, "a closed gate"), "parked: a closed gate", 60, 0, id="parked"),
        pytest.param(Parked(60, "a budget", counts=True), "parked: a budget", 60, 1, id="parked without progress"),
        pytest.param(LeaseLost("gone"), "superseded", 0, 1, id="moved on"),
        pytest.param(OutcomeUnknown("stripe", "pay", "lost"), "parked: stripe could not pay: lost", 60, 1, id="nobody knows"),
        pytest.param(Misconfigured("stripe", "pay", "401"), "parked: stripe could not pay: 401", 60, 1, id="an operator is needed"),
        pytest.param(Refused("stripe", "pay", "no", "no"), "parked: stripe could not pay: no", 60, 1, id="a refusal nobody took care of"),
        pytest.param(KeyError("bug"), "failed: KeyError", 60, 1, id="a bug"),
        pytest.param(asyncio.CancelledError(), "failed: CancelledError", 60, 1, id="cancelled"),
    ],
)
async def test_every_way_out_lets_go_and_says_when_it_goes_on(
    ending: BaseException | None, ended_as: str, due_in: float | None, count: int
) -> None:
    order_id = await placed()

    async def works() -> None:
        async with run(order_id):
            if ending is not None:
                raise ending

    if ending is None:
        await works()
    else:
        with pytest.raises((type(ending), Parked)):
            await works()
    row = await row_of(order_id)
    [ended] = await runs_of(order_id)
    assert (row.lease_owner, row.lease_until, row.runs_without_progress) == (None, None, count)
    assert ended.ended_as == ended_as
    assert ended.ended_at is not None
    if due_in is None or row.resume_at is None:
        assert (due_in, row.resume_at) == (None, None)
    else:
        assert (row.resume_at - ended.ended_at).total_seconds() == pytest.approx(due_in, abs=1)


async def test_runs_that_bring_nothing_come_further_and_further_apart() -> None:
    order_id = await placed()
    waits: list[float] = []
    for _ in range(3):
        with ends_with(KeyError):
            async with run(order_id):
                raise KeyError("bug")
        row, ended = await row_of(order_id), (await runs_of(order_id))[-1]
        assert row.resume_at is not None
        assert ended.ended_at is not None
        waits.append((row.resume_at - ended.ended_at).total_seconds())
    assert waits == pytest.approx([restart_wait_seconds(n) for n in (1, 2, 3)], abs=1)
    assert [restart_wait_seconds(n) for n in (1, 2, 7, 8)] == [60, 120, 3600, 3600]


@pytest.mark.parametrize("ending", [Parked(3600, "a closed gate"), KeyError("bug"), None], ids=["parked", "failed", "rested"])
async def test_a_fact_that_comes_while_a_run_works_keeps_the_order_due(ending: Exception | None) -> None:
    order_id = await placed()

    async def works() -> None:
        async with run(order_id):
            await paid_news(order_id)
            if ending is not None:
                raise ending

    if ending is None:
        await works()
    else:
        with pytest.raises(type(ending)):
            await works()
    row, [ended] = await row_of(order_id), await runs_of(order_id)
    assert row.resume_at is not None
    assert ended.ended_at is not None
    assert row.resume_at <= ended.ended_at


async def test_a_new_attempt_begun_while_a_run_works_keeps_the_order_due(shop: Shop) -> None:
    order_id = await placed(paymentMethod="pm_card_chargeDeclined")
    async with run(order_id) as order:
        with pytest.raises(Refused):
            await shop.until_paid(order)
        await raise_attempt(order_id, 2, "pm_card_visa")
        with pytest.raises(LeaseLost, match="at attempt 2"):
            await still_holds(order)
    row = await row_of(order_id)
    assert (row.attempt, row.lease_owner) == (2, None)
    assert row.resume_at is not None


async def test_an_order_that_waits_for_the_outside_world_is_not_taken() -> None:
    order_id = await placed()
    await sql("UPDATE orders SET resume_at = NULL WHERE id = :id", id=order_id)
    lease = await take(order_id, "curious")
    assert lease is not None
    assert not lease.is_mine
    assert lease.subject.rests
    assert not lease.subject.in_hand
    assert (await row_of(order_id)).fence == 0


async def test_nobody_takes_an_order_that_does_not_exist() -> None:
    with pytest.raises(NoSuchOrder, match="place it first"):
        await take("o-nowhere", "run")
