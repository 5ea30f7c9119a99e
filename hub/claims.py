"""
Who works on a subject now: a short lease with a rising fence, taken by compare-and-set, compared in database time.

A run that dies leaves its lease to expire; the sweep then starts another. What the old run decides afterwards no longer counts (its
fence is older), what it learned is still recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import bindparam, func, true, update
from sqlmodel import col, select

from hub.database import transaction, unhurried
from hub.effects import LeaseLost, Parked
from hub.errors import ProviderError
from hub.kinds import KINDS, kind_of
from hub.policies import RESTART
from hub.settings import settings
from hub.steps import OPEN_STATES
from hub.subject_rows import locked, locked_with_hub, snapshot
from hub.subjects import Subject
from hub.tables import EffectRow, RunRow, SubjectColumns, metadata
from hub.tracing import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlmodel.ext.asyncio.session import AsyncSession

log = logging.getLogger(__name__)

Held = TypeVar("Held", bound=Subject)

POLL_SECONDS = 0.2
_RUNS = metadata.tables["runs"]
_RUN_ENDED = update(_RUNS).where(
    _RUNS.c.subject_kind == bindparam("of_kind"),
    _RUNS.c.subject_id == bindparam("of_id"),
    _RUNS.c.fence == bindparam("mine"),
    _RUNS.c.ended_at.is_(None),
)


class Lease(Generic[Held]):
    """One run's hold on a subject, or the knowledge that another run has it (``subject.in_hand``)."""

    def __init__(self, subject: Held, due_since: datetime | None) -> None:
        self.subject = subject
        self.left: Held | None = None
        """The subject as this run let go of it."""
        self.due_anew = False
        """News came in meanwhile that this run did not see to: the subject is due as it is let go of."""
        self._due_since = due_since

    @property
    def is_mine(self) -> bool:
        """True when this run holds the subject."""
        return self._due_since is not None

    async def renew(self) -> bool:
        """Prolong the lease; False when it is no longer ours."""
        async with transaction() as session:
            row = KINDS[self.subject.kind].row
            renewed = await session.exec(
                update(row)
                .where(col(row.id) == self.subject.id)
                .where(col(row.fence) == self.subject.fence, col(row.lease_owner) == self.subject.run_id)
                .values(lease_until=func.clock_timestamp() + _lease_length())
                .returning(col(row.fence))
            )
            return renewed.one_or_none() is not None

    async def let_go(self, ended_as: str, *, resume_in_seconds: float | None, counts: bool = False, why: str | None = None) -> None:
        """
        Give the order back and say when it is due again (None: when one of its effects is, when its patience ends, or never).

        A fact that came in meanwhile has made the order due anew; that stays, unless this run has brought it all the way since. ``counts``
        keeps this run among those without progress; a run that rested has brought the order as far as it goes, and one that parked leaves
        the count as it was. ``why`` it waits is noted.
        """
        async with transaction() as session:
            row, now = await locked(session, self.subject.id, self.subject.kind)
            ended_as = ended_as if why is None else f"{ended_as}: {why}"
            mine = {"of_kind": self.subject.kind, "of_id": self.subject.id, "mine": self.subject.fence}
            await session.exec(_RUN_ENDED, params=mine | {"ended_at": now, "ended_as": ended_as})
            if row.fence != self.subject.fence or row.lease_owner != self.subject.run_id:
                return
            row.lease_owner = row.lease_until = None
            if why is not None:
                row.message = f"waits: {why}"
            if resume_in_seconds is None:
                row.runs_without_progress = 0
            elif not counts:
                row.runs_without_progress = max(row.runs_without_progress - 1, 0)
            self.due_anew = row.resume_at != self._due_since and not (resume_in_seconds is None and kind_of(row).is_walked(row))
            if not self.due_anew:
                row.resume_at = (
                    await _next_moment(session, row, now if self._due_since is None else self._due_since)
                    if resume_in_seconds is None
                    else now + timedelta(seconds=resume_in_seconds)
                )
            self.left = snapshot(row, self.subject.hub_id, self.subject.run_id, due=row.resume_at is not None)


async def take(subject_id: str, run_id: str, kind: str = "order") -> Lease[Any] | None:
    """
    Take the subject for this run, or return None when another run holds it.

    One with nothing to do is not taken but returned as it is. Raises ``NoSuchOrder`` and its like.
    """
    async with transaction() as session:
        row, now, hub = await locked_with_hub(session, subject_id, kind)
        due = row.resume_at is not None
        if hub.recovering:
            return Lease(snapshot(row, hub.hub_id, run_id, due=due, in_hand=True), None)
        if not due and snapshot(row, hub.hub_id, run_id, due=False).rests:
            return Lease(snapshot(row, hub.hub_id, run_id, due=False), None)
        if row.lease_until is not None and row.lease_until > now:
            return None
        row.fence += 1
        row.lease_owner, row.lease_until, row.resume_at = run_id, now + _lease_length(), now
        row.runs_without_progress += 1
        session.add(RunRow(subject_kind=kind, subject_id=row.id, run_id=run_id, attempt=row.attempt, fence=row.fence, started_at=now))
        return Lease(snapshot(row, hub.hub_id, run_id, due=due), now)


@contextlib.asynccontextmanager
async def leased(subject_id: str, run_id: str, kind: str = "order") -> AsyncIterator[Lease[Any]]:
    """
    Hold the subject while the block runs, renewing the lease; the loser waits for the winner's result.

    Every way out lets go, also a cancellation. What stopped the block decides when the order is due again, and is raised on.
    """
    lease = await _take_or_wait(subject_id, run_id, kind)
    if not lease.is_mine:
        yield lease
        return
    over = asyncio.Event()
    renewing = asyncio.create_task(_keep(lease, over))
    about = {kind: subject_id, "flow_run": run_id}
    try:
        with span(f"{kind} run", lease.subject.correlation_id, "internal", about):
            yield lease
    except Parked as parked:
        await unhurried(lease.let_go("parked", resume_in_seconds=parked.seconds, counts=parked.counts, why=parked.why))
        raise
    except LeaseLost:
        await unhurried(lease.let_go("superseded", resume_in_seconds=0, counts=True))
        raise
    except ProviderError as error:
        wait = restart_wait_seconds(await unhurried(_runs_without_progress(lease.subject)))
        await unhurried(lease.let_go("parked", resume_in_seconds=wait, counts=True, why=str(error)))
        raise Parked(wait, str(error), counts=True) from error
    except BaseException as error:
        wait = restart_wait_seconds(await unhurried(_runs_without_progress(lease.subject)))
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


async def current(subject_id: str, run_id: str = "", kind: str = "order") -> Any:
    """
    Return the subject as it is now, without taking it.

    Raises:
        NoSuchOrder: It does not exist; each kind has its own error.
    """
    async with transaction() as session:
        row, _, hub = await locked_with_hub(session, subject_id, kind)
        return snapshot(row, hub.hub_id, run_id, due=row.resume_at is not None)


async def hold(session: AsyncSession, subject: Subject) -> Any:
    """
    Lock the subject's row for a decision of the run that ``subject`` was given to.

    Raises:
        LeaseLost: The run no longer holds the subject.
    """
    row, now = await locked(session, subject.id, subject.kind)
    check_claim(row, subject.fence, subject.run_id, subject.attempt, now)
    return row


def check_claim(row: SubjectColumns, fence: int, run_id: str, attempt: int, now: datetime) -> None:
    """
    Do nothing when this claim still counts: decisions are fenced, facts are not.

    Raises:
        LeaseLost: Another run has the subject, or it is at another attempt.
    """
    if row.fence != fence or row.lease_owner != run_id or row.lease_until is None or row.lease_until <= now:
        raise LeaseLost(f"another run has taken {row.id} over")
    if row.attempt != attempt:
        raise LeaseLost(f"{row.id} is at attempt {row.attempt} now")


async def _take_or_wait(subject_id: str, run_id: str, kind: str) -> Lease[Any]:
    deadline = asyncio.get_running_loop().time() + settings().in_hand_seconds
    while (lease := await take(subject_id, run_id, kind)) is None:
        if asyncio.get_running_loop().time() > deadline:
            subject = await current(subject_id, run_id, kind)
            return Lease(subject.model_copy(update={"in_hand": True}), None)
        await asyncio.sleep(POLL_SECONDS)
    return lease


async def _keep(lease: Lease[Any], over: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), settings().lease_seconds / 3)
        if over.is_set():
            return
        try:
            if not await lease.renew():
                return
        except Exception:  # noqa: BLE001 - the database may be back before the lease ends; the ledger refuses once it has ended
            log.warning("could not renew the lease of %s %s", lease.subject.kind, lease.subject.id)


async def _runs_without_progress(subject: Subject) -> int:
    row = KINDS[subject.kind].row
    async with transaction() as session:
        return (await session.exec(select(col(row.runs_without_progress)).where(col(row.id) == subject.id))).one()


async def _next_moment(session: AsyncSession, row: SubjectColumns, due_since: datetime) -> datetime | None:
    """Return when the subject is due again by itself: because of one of its effects, or because nobody may be silent for ever."""
    moments = (await _next_effect(session, row, due_since), kind_of(row).waits_until(row))
    return min((moment for moment in moments if moment is not None), default=None)


async def _next_effect(session: AsyncSession, row: SubjectColumns, due_since: datetime) -> datetime | None:
    """Return when the earliest of the subject's open effects is due; one that was due before the run, and that it left alone, is over."""
    needs_a_person = row.attention is not None  # then nothing goes on by itself but the call for that person
    with session.no_autoflush:  # the subject's row is written once, at the end
        return (
            await session.exec(
                select(func.min(EffectRow.resume_at))
                .where(col(EffectRow.subject_kind) == kind_of(row).name, col(EffectRow.subject_id) == row.id)
                .where(col(EffectRow.state).in_(OPEN_STATES), col(EffectRow.resume_at) > due_since)
                .where(col(EffectRow.step).startswith("attention") if needs_a_person else true())
            )
        ).one()


def _lease_length() -> timedelta:
    return timedelta(seconds=settings().lease_seconds)
