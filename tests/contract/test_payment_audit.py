"""Every payment operation has one entry that nobody can change unseen."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from hub.audit import verify_chains
from hub.database import transaction
from hub.decisions import begin_undo
from hub.errors import Refused
from hub.inbox_tables import PaymentAuditRow
from hub.stock import reserve
from tests.contract.ledger_kit import Shop, row_of, run_of_a_new_order, sql
from tests.contract.notice_kit import handled, payment_told


async def entries_of(order_id: str) -> list[PaymentAuditRow]:
    async with transaction() as session:
        mine = select(PaymentAuditRow).where(col(PaymentAuditRow.subject_id) == order_id)
        return list(await session.exec(mine.order_by(col(PaymentAuditRow.number))))


async def test_a_charge_and_its_refund_are_entries_with_amount_correlation_and_the_providers_request(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        payment = await shop.until_paid(order)
        await shop.refund(await begin_undo(order, "the customer asked"))

    entries = await entries_of(order.id)
    assert [entry.operation for entry in entries] == ["charge attempted", "charged", "refund attempted", "refunded"]
    assert {(entry.amount, entry.currency, entry.correlation_id) for entry in entries} == {
        (order.money.amount, "usd", order.correlation_id)
    }
    assert entries[1].reference == payment.charge_id
    assert (entries[1].provider_request_id or "").startswith("req_")
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert order.id not in {one.subject_id for one in (await verify_chains()).broken}


async def test_a_declined_card_is_attempted_and_refused(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_chargeDeclined") as order:
        await reserve(order)
        with pytest.raises(Refused):
            await shop.pay(order)

    assert [entry.operation for entry in await entries_of(order.id)] == ["charge attempted", "refused"]


async def test_what_only_a_webhook_told_is_an_entry_too(shop: Shop) -> None:
    async with run_of_a_new_order(paymentMethod="pm_card_threeDSecure2Required") as order:
        payment = await shop.until_paid(order)
    await handled(payment_told("succeeded", order, payment.payment_id))

    entries = await entries_of(order.id)
    assert [entry.operation for entry in entries] == ["charge attempted", "charged"]
    assert entries[-1].provider_request_id is None


@pytest.mark.parametrize(
    "change", ["UPDATE payment_audit SET amount = 1", "DELETE FROM payment_audit", "TRUNCATE payment_audit"], ids=lambda change: change[:6]
)
async def test_the_log_is_append_only(shop: Shop, change: str) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)

    with pytest.raises(DBAPIError, match="append-only"):
        await sql(change)


async def test_an_entry_changed_behind_the_triggers_back_breaks_the_chain_from_there_on(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
    whole = await verify_chains()
    await sql("ALTER TABLE payment_audit DISABLE TRIGGER ALL")
    await sql("UPDATE payment_audit SET amount = amount + 1 WHERE subject_id = :id AND number = 1", id=order.id)
    await sql("ALTER TABLE payment_audit ENABLE TRIGGER ALL")

    found = await verify_chains()

    assert [(one.subject_id, one.number) for one in found.broken] == [(order.id, 1)]
    assert found.entries == whole.entries
    assert (await row_of(order.id)).amount == order.money.amount


async def test_the_last_entry_taken_away_shows_in_the_digest_of_all_heads(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_paid(order)
    before = (await verify_chains()).heads
    await sql("ALTER TABLE payment_audit DISABLE TRIGGER ALL")
    await sql("DELETE FROM payment_audit WHERE subject_id = :id AND number = 2", id=order.id)
    await sql("ALTER TABLE payment_audit ENABLE TRIGGER ALL")

    assert (await verify_chains()).heads != before
