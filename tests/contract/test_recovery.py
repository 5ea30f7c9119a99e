"""A hub that was restored from a back-up asks nobody anything until a person says so, and then looks before it asks again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from deployments.embedded_database import EmbeddedDatabase
from hub.attention import attention_list
from hub.claims import take
from hub.database import transaction
from hub.due import due_subjects, next_run_key
from hub.effects import Parked
from hub.facets import Status
from hub.per_loop import close_all
from hub.recovery import GENERATIONS, WrongMoment, begin_recovery, end_recovery, in_recovery_since
from hub.refunds import RefundTerms, ask_refund
from hub.resolving import resolve
from hub.subject_rows import database_now
from tests.contract.ledger_kit import Shop, ends_with, facts_of, outcomes_of, payment_effect, placed, row_of, run, sql
from tests.contract.notice_kit import carrier_told, handled, warehouse_told
from tests.contract.process_kit import accounts_of, goes_on, rests, snapshot_of

AS_PLACED = {
    "payment": "none",
    "parcel": "none",
    "stock": "none",
    "hold": "none",
    "status": "received",
    "message": "received",
    **dict.fromkeys(("payment_id", "charge_id", "tracking_number")),
}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    with accounts_of(shop):
        yield shop
    await sql("UPDATE hub_identity SET restored_from = NULL, recovery_began_at = NULL, recovery_ended_at = NULL")


async def now() -> datetime:
    async with transaction() as session:
        return await database_now(session)


async def restored(order_id: str, *, steps_kept: tuple[str, ...] = ()) -> None:
    """The order is as in a back-up that was made when it had just come in, or when some of its steps were done."""
    lost = "subject_kind = 'order' AND subject_id = :id AND NOT step = ANY(:kept)"
    await sql(f"DELETE FROM attempts WHERE effect_key IN (SELECT key FROM effects WHERE {lost})", id=order_id, kept=list(steps_kept))  # noqa: S608 - the condition stands above
    await sql(f"DELETE FROM effects WHERE {lost}", id=order_id, kept=list(steps_kept))  # noqa: S608 - likewise
    await sql("DELETE FROM reservations WHERE order_id = :id", id=order_id)
    await sql("DELETE FROM facts WHERE subject_id = :id", id=order_id)
    values: dict[str, Any] = AS_PLACED
    changes = ", ".join(f"{name} = :{name}" for name in values)
    await sql(f"UPDATE orders SET {changes}, epoch = 1, fence = 0, resume_at = clock_timestamp() WHERE id = :id", id=order_id, **values)  # noqa: S608 - the names stand above


async def done_at(shop: Shop, order_id: str) -> Counter[str]:
    """What the providers really did for the order."""
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await shop.sandbox.effects(subject=order_id))


async def test_in_recovery_no_run_takes_an_order_nobody_is_asked_and_what_is_told_is_applied(shop: Shop) -> None:
    order_id, backup_of = await placed(), await now()
    await rests(order_id)
    done = await done_at(shop, order_id)
    await restored(order_id)
    await begin_recovery(backup_of)

    await goes_on(order_id)
    late = await take(order_id, "run-late")
    await handled(warehouse_told("packed", order_id))

    assert late is not None
    assert (late.is_mine, late.subject.in_hand) == (False, True)
    assert (await due_subjects(), await next_run_key(order_id)) == ([], None)
    assert await done_at(shop, order_id) == done
    assert "packed" in [fact.kind for fact in await facts_of(order_id)]
    assert await in_recovery_since() is not None


async def test_a_real_back_up_is_restored_and_nothing_is_done_twice(
    shop: Shop, postgres: EmbeddedDatabase, hub_database: str, tmp_path: Path
) -> None:
    name, dump = make_url(hub_database).database or "", str(tmp_path / "hub.dump")
    order_id, backup_of = await placed(), await now()
    await tool(postgres, "pg_dump", "-Fc", "-f", dump, name)
    await rests(order_id)
    done = await done_at(shop, order_id)
    await close_all()
    await tool(postgres, "dropdb", "--force", name)
    await tool(postgres, "createdb", name)
    await tool(postgres, "pg_restore", "-d", name, dump)
    assert (await row_of(order_id)).status == Status.RECEIVED

    await begin_recovery(backup_of)
    await goes_on(order_id)
    assert (await row_of(order_id)).status == Status.RECEIVED
    await end_recovery()
    for _ in range(3):
        await goes_on(order_id)

    row = await row_of(order_id)
    assert (row.payment, row.status) == ("paid", Status.NEEDS_ATTENTION)  # for the label, whose quote was lost
    assert await done_at(shop, order_id) == done + Counter({"slack.message": 1})  # which calls for that person


async def tool(postgres: EmbeddedDatabase, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's own."""
    where = ("-h", str(postgres.socket_folder), "-U", "postgres")
    process = await asyncio.create_subprocess_exec(postgres.binaries / program, *where, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_a_run_that_is_under_way_when_recovery_begins_asks_nothing_more(shop: Shop) -> None:
    backup_of = await now()
    with ends_with(Parked, match="the hub is in recovery"):
        async with run(await placed()) as order:
            await sql("UPDATE hub_identity SET recovery_began_at = clock_timestamp()")
            await shop.until_paid(order)

    assert await done_at(shop, order.id) == Counter()
    assert await now() > backup_of


async def test_afterwards_what_was_done_since_the_back_up_is_found_and_not_done_again(shop: Shop) -> None:
    order_id, backup_of = await placed(), await now()
    await rests(order_id)
    done = await done_at(shop, order_id)
    quoted = (await snapshot_of(order_id)).tracking_number
    await restored(order_id, steps_kept=("quote",))
    await begin_recovery(backup_of)
    await sql("UPDATE effects SET created_at = :then WHERE subject_id = :id", then=backup_of, id=order_id)
    await end_recovery()

    for _ in range(3):
        await goes_on(order_id)

    row = await row_of(order_id)
    assert await done_at(shop, order_id) == done
    assert (row.status, row.tracking_number) == (Status.CONFIRMED, quoted)
    assert "not told yet: mail" in row.message  # nobody can ask SendGrid, so nobody mails again


async def test_a_label_that_cannot_be_looked_for_is_for_a_person_and_bought_once_they_say_it_was_not(shop: Shop) -> None:
    order_id, backup_of = await placed(), await now()
    async with run(order_id) as order:
        await shop.until_paid(order)
    await restored(order_id)
    await begin_recovery(backup_of)
    await end_recovery()

    for _ in range(2):
        await goes_on(order_id)

    (waiting,) = [one for one in await attention_list() if one.what == f"order {order_id}"]
    assert f"hub order resolve {order_id} label" in waiting.reason
    assert (await done_at(shop, order_id))["stripe.charge"] == 1
    assert (await done_at(shop, order_id))["shippo.label"] == 0

    await resolve("order", order_id, "label", happened=False, reference=None, by="ada")
    for _ in range(3):
        await goes_on(order_id)

    assert (await row_of(order_id)).status == Status.CONFIRMED
    assert (await done_at(shop, order_id))["shippo.label"] == 1


async def test_a_charge_that_stripe_may_have_forgotten_the_key_of_is_looked_for(shop: Shop) -> None:
    order_id = await placed()
    async with run(order_id) as order:
        await shop.until_paid(order)
    await restored(order_id)
    await begin_recovery(await now() - timedelta(days=2))
    await end_recovery()

    async with run(order_id) as order:
        payment = await shop.until_paid(order)

    assert (await done_at(shop, order_id))["stripe.charge"] == 1
    assert payment.payment_id
    assert await outcomes_of(payment_effect(order)) == ["found"]


async def test_what_becomes_necessary_only_afterwards_is_told_the_customer_as_ever(shop: Shop) -> None:
    order_id = await placed()
    tracking_number = (await rests(order_id)).tracking_number or ""
    await begin_recovery(await now())
    await end_recovery()

    await handled(carrier_told("TRANSIT", tracking_number))
    await rests(order_id)
    await ask_refund(order_id, "r-1", RefundTerms(amount=100), by="shop")
    await rests(order_id)

    mails = [mail["subject"] for mail in await shop.sandbox.objects("sendgrid", "mail")]
    assert [word for word in ("is confirmed", "is on its way", "Money for") if any(word in mail for mail in mails)] == [
        "is confirmed",
        "is on its way",
        "Money for",
    ]
    assert len(mails) == 3


async def test_orders_that_come_after_it_are_not_looked_for(shop: Shop) -> None:
    await begin_recovery(await now())
    await end_recovery()

    async with run(await placed()) as order:
        await shop.until_paid(order)

    assert await outcomes_of(payment_effect(order)) == ["done"]


async def test_whatever_remembers_the_time_in_between_is_stale(shop: Shop) -> None:
    del shop
    order_id = await placed()
    lease = await take(order_id, "run-before")
    assert lease is not None

    await begin_recovery(await now())

    row = await row_of(order_id)
    assert (row.epoch, row.fence, row.lease_owner) == (1 + GENERATIONS, lease.subject.fence + GENERATIONS, None)
    assert not await lease.renew()


async def test_recovery_begins_with_a_moment_that_was_and_ends_once(shop: Shop) -> None:
    del shop
    with pytest.raises(WrongMoment, match="still to come"):
        await begin_recovery(await now() + timedelta(minutes=1))
    with pytest.raises(WrongMoment, match="not in recovery"):
        await end_recovery()

    await begin_recovery(await now())
    await end_recovery()

    assert await in_recovery_since() is None
