"""The process of an order without Prefect: its own body, straight to the ledger, with real accounts at the sandbox."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from blocks.accounts import _memory_of
from flows.process_order import go_on
from hub.claims import current, leased
from hub.database import transaction
from hub.effects import Stopped
from hub.orders import Order
from hub.tables import OrderRow
from tasks.bulk import in_bulk
from tests.contract.ledger_kit import Shop


@contextmanager
def accounts_of(shop: Shop) -> Iterator[None]:
    """The shop's accounts are those that were read from Prefect a moment ago."""
    accounts = (shop.stripe, shop.shippo, shop.slack, shop.sendgrid, shop.twilio)
    memories = [_memory_of(type(account)) for account in accounts]
    for memory, account in zip(memories, accounts, strict=True):
        memory.account, memory.loaded_at = account, math.inf
    yield
    for memory in memories:
        memory.account, memory.loaded_at = None, 0.0


async def goes_on(order_id: str) -> None:
    """A run of the order, from the claim to the letting go; it may park, or lose its lease."""
    with in_bulk(), suppress(Stopped):
        async with leased(order_id, f"run-{uuid4().hex[:8]}") as lease:
            await go_on(lease.subject)


async def rests(order_id: str, *, runs: int = 5) -> OrderRow:
    """Run the order until nothing of it is due, and return it."""
    for _ in range(runs):
        await goes_on(order_id)
        async with transaction() as session:
            row = await session.get_one(OrderRow, order_id)
        if row.resume_at is None:
            return row
    raise AssertionError(f"{order_id} is still due after {runs} runs: {row.status}, {row.message}")


async def snapshot_of(order_id: str) -> Order:
    """The order as it is now, held by nobody."""
    order: Order = await current(order_id)
    return order
