"""The processes without Prefect: their own bodies, straight to the ledger, with real accounts at the sandbox."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from blocks.accounts import _memory_of
from blocks.provider_account import ProviderAccount
from flows import process_order, register_user, release_service
from hub.claims import current, leased
from hub.database import transaction
from hub.effects import Stopped
from hub.kinds import KINDS
from hub.orders import Order
from hub.tables import OrderRow
from tasks.bulk import in_bulk
from tests.contract.ledger_kit import Shop

GO_ON: dict[str, Callable[[Any], Awaitable[None]]] = {
    "order": process_order.go_on,
    "signup": register_user.go_on,
    "release": release_service.go_on,
}


@contextmanager
def accounts_of(shop: Shop, *more: ProviderAccount) -> Iterator[None]:
    """The shop's accounts, and what others there are, are those that were read from Prefect a moment ago."""
    accounts = (shop.stripe, shop.shippo, shop.slack, shop.sendgrid, shop.twilio, shop.github, shop.warehouse, *more)
    memories = [_memory_of(type(account)) for account in accounts]
    for memory, account in zip(memories, accounts, strict=True):
        memory.account, memory.loaded_at = account, math.inf
    yield
    for memory in memories:
        memory.account, memory.loaded_at = None, 0.0


async def goes_on(subject_id: str, kind: str = "order") -> None:
    """A run of the subject, from the claim to the letting go; it may park, or lose its lease."""
    with in_bulk(), suppress(Stopped):
        async with leased(subject_id, f"run-{uuid4().hex[:8]}", kind) as lease:
            await GO_ON[kind](lease.subject)


async def rests(order_id: str, *, runs: int = 5) -> OrderRow:
    """Run the order until nothing of it is due, and return it."""
    row: OrderRow = await subject_rests(order_id, "order", runs=runs)
    return row


async def subject_rests(subject_id: str, kind: str, *, runs: int = 5) -> Any:
    """Run the subject until nothing of it is due, and return its row."""
    for _ in range(runs):
        await goes_on(subject_id, kind)
        if (row := await row_of_subject(subject_id, kind)).resume_at is None:
            return row
    raise AssertionError(f"{subject_id} is still due after {runs} runs: {row.status}, {row.message}")


async def row_of_subject(subject_id: str, kind: str) -> Any:
    async with transaction() as session:
        return await session.get_one(KINDS[kind].row, subject_id)


async def snapshot_of(order_id: str) -> Order:
    """The order as it is now, held by nobody."""
    order: Order = await current(order_id)
    return order
