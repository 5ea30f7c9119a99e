"""
Who works on an order now: a short lease with a rising fence, taken by compare-and-set, compared in database time.

A run that dies leaves its lease to expire; the sweep then starts another. What the old run decides afterwards no longer counts (its
fence is older), what it learned is still recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, update
from sqlmodel import col, select

from hub.database import transaction, unhurried
from hub.effects import LeaseLost, Parked
from hub.errors import ProviderError
from hub.order_rows import locked, locked_with_hub, snapshot
from hub.orders import Order
from hub.policies import RESTART
from hub.settings import settings
from hub.steps import EffectState
from hub.tables import EffectRow, OrderRow, RunRow, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlmodel.ext.asyncio.session import AsyncSession

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
_RUNS = metadata.tables["runs"]
_RUN_ENDED = update(_RUNS).where(
    _RUNS.c.subject_id == bindparam("order_id"), _RUNS.c.fence == bindparam("mine"), _RUNS.c.ended_at.is_(None)
)


class Lease:
    """One run's hold on an order, or the knowledge that another run has it (``order.in_hand``)."""

    def __init__(self, order: Order, due_since: datetime | None) -> None:
        self.order = order
        self.left: Order | None = None
        """The order as this run let go of it."""
        self._due_since = due_since

    @property
    def is_mine(self) -> bool:
        """True when this run holds the order."""
        return self._due_since is not None

    async def renew(self) -> bool:
        """Prolong the lease; False when it is no longer ours."""
        async with transaction() as session:
            renewed = await session.exec(
                update(OrderRow)
                .where(col(OrderRow.id) == self.order.id)
                .where(col(OrderRow.fence) == self.order.fence, col(OrderRow.lease_owner) == self.order.run_id)
                .values(lease_until=func.clock_timestamp() + _lease_length())
                .returning(col(OrderRow.fence))
            )
            return renewed.one_or_none() is not None

    async def let_go(self, ended_as: str, *, resume_in_seconds: float | None, counts: bool = False, why: str | None = None) -> None:
        """
        Give the order back and say when it is due again (None: when one of its effects is, or never).

        A fact that came in meanwhile has made the order due anew; that stays. ``counts`` keeps this run among those without progress; a
        run that rested has brought the order as far as it goes, and one that parked leaves the count as it was. ``why`` it waits is noted.
        """
        async with transaction() as session:
            row, now = await locked(session, self.order.id)
            ended_as = ended_as if why is None else f"{ended_as}: {why}"
            mine = {"order_id": self.order.id, "mine": self.order.fence}
            await session.exec(_RUN_ENDED, params=mine | {"ended_at": now, "ended_as": ended_as})
            if row.fence != self.order.fence or row.lease_owner != self.order.run_id:
                return
            row.lease_owner = row.lease_until = None
            if why is not None:
                row.message = f"waits: {why}"
            if resume_in_seconds is None:
                row.runs_without_progress = 0
            elif not counts:
                row.runs_without_progress = max(row.runs_without_progress - 1, 0)
            if row.resume_at == self._due_since:
                row.resume_at = (
                    await _next_effect(session, row, now if self._due_since is None else self._due_since)
                    if resume_in_seconds is None
                    else now + timedelta(seconds=resume_in_seconds)
                )
            self.left = snapshot(row, self.order.hub_id, self.order.run_id, due=row.resume_at is not None)


async def take(order_id: str, run_id: str) -> Lease | None:
    """
    Take the order for this run, or return None when another run holds it.

    An order with nothing to do is not taken but returned as it is. Raises ``NoSuchOrder``.
    """
    async with transaction() as session:
        row, now, hub_id = await locked_with_hub(session, order_id)
        due = row.resume_at is not None
        if not due and snapshot(row, hub_id, run_id, due=False).rests:
            return Lease(snapshot(row, hub_id, run_id, due=False), None)
        if row.lease_until is not None and row.lease_until > now:
            return None
        row.fence += 1
        row.lease_owner, row.lease_until, row.resume_at = run_id, now + _lease_length(), now
        row.runs_without_progress += 1
        session.add(RunRow(subject_kind="order", subject_id=row.id, run_id=run_id, attempt=row.attempt, fence=row.fence, started_at=now))
        return Lease(snapshot(row, hub_id, run_id, due=due), now)


@contextlib.asynccontextmanager
async def leased(order_id: str, run_id: str) -> AsyncIterator[Lease]:
    """
    Hold the order while the block runs, renewing the lease; the loser waits for the winner's result.

    Every way out lets go, also a cancellation. What stopped the block decides when the order is due again, and is raised on.
    """
    lease = await _take_or_wait(order_id, run_id)
    if not lease.is_mine:
        yield lease
        return
    over = asyncio.Event()
    renewing = asyncio.create_task(_keep(lease, over))
    try:
        yield lease
    except Parked as parked:
        await unhurried(lease.let_go("parked", resume_in_seconds=parked.seconds, counts=parked.counts, why=parked.why))
        raise
    except LeaseLost:
        await unhurried(lease.let_go("superseded", resume_in_seconds=0, counts=True))
        raise
    except ProviderError as error:
        wait = restart_wait_seconds(await unhurried(_runs_without_progress(order_id)))
        await unhurried(lease.let_go("parked", resume_in_seconds=wait, counts=True, why=str(error)))
        raise Parked(wait, str(error), counts=True) from error
    except BaseException as error:
        wait = restart_wait_seconds(await unhurried(_runs_without_progress(order_id)))
        await unhurried(lease.let_go(f"failed: {type(error).__name__}", resume_in_seconds=wait, counts=True))
        raise
    else:
        await unhurried(lease.let_go("rested", resume_in_seconds=None))
    finally:
        over.set()  # not cancelled, which would break a connection in the middle of a renewal
        await unhurried(renewing)


def restart_wait_seconds(runs_without_progress: int) -> float:
    """Return how long a subject waits after that many runs that brought nothing: 1 min, doubling, at most 1 h; scaled."""
    return RESTART.wait_seconds(max(runs_without_progress, 1))


async def current(order_id: str, run_id: str = "") -> Order:
    """
    Return the order as it is now, without taking it.

    Raises:
        NoSuchOrder: It does not exist.
    """
    async with transaction() as session:
        row, _, hub_id = await locked_with_hub(session, order_id)
        return snapshot(row, hub_id, run_id, due=row.resume_at is not None)


async def hold(session: AsyncSession, order: Order) -> OrderRow:
    """
    Lock the order's row for a decision of the run that ``order`` was given to.

    Raises:
        LeaseLost: The run no longer holds the order.
    """
    row, now = await locked(session, order.id)
    check_claim(row, order.fence, order.run_id, order.attempt, now)
    return row


def check_claim(row: OrderRow, fence: int, run_id: str, attempt: int, now: datetime) -> None:
    """
    Do nothing when this claim still counts: decisions are fenced, facts are not.

    Raises:
        LeaseLost: Another run has the subject, or it is at another attempt.
    """
    if row.fence != fence or row.lease_owner != run_id or row.lease_until is None or row.lease_until <= now:
        raise LeaseLost(f"another run has taken {row.id} over")
    if row.attempt != attempt:
        raise LeaseLost(f"{row.id} is at attempt {row.attempt} now")


async def _take_or_wait(order_id: str, run_id: str) -> Lease:
    deadline = asyncio.get_running_loop().time() + settings().in_hand_seconds
    while (lease := await take(order_id, run_id)) is None:
        if asyncio.get_running_loop().time() > deadline:
            order = await current(order_id, run_id)
            return Lease(order.model_copy(update={"in_hand": True}), None)
        await asyncio.sleep(POLL_SECONDS)
    return lease


async def _keep(lease: Lease, over: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), settings().lease_seconds / 3)
        if over.is_set():
            return
        try:
            if not await lease.renew():
                return
        except Exception:  # noqa: BLE001 - the database may be back before the lease ends; the ledger refuses once it has ended
            log.warning("could not renew the lease of order %s", lease.order.id)


async def _runs_without_progress(order_id: str) -> int:
    async with transaction() as session:
        return (await session.exec(select(col(OrderRow.runs_without_progress)).where(col(OrderRow.id) == order_id))).one()


async def _next_effect(session: AsyncSession, row: OrderRow, due_since: datetime) -> datetime | None:
    """Return when the earliest of the order's open effects is due; one that was due before the run, and that it left alone, is over."""
    if row.attention is not None:
        return None
    open_states = (EffectState.INTENDED, EffectState.UNKNOWN, EffectState.PENDING)
    with session.no_autoflush:  # the order's row is written once, at the end
        return (
            await session.exec(
                select(func.min(EffectRow.resume_at))
                .where(col(EffectRow.subject_kind) == "order", col(EffectRow.subject_id) == row.id)
                .where(col(EffectRow.state).in_(open_states), col(EffectRow.resume_at) > due_since)
            )
        ).one()


def _lease_length() -> timedelta:
    return timedelta(seconds=settings().lease_seconds)
