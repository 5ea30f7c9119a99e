"""A run and its subject: taken before anything is decided, given back on every way out, and the state that the run ends in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from prefect.context import FlowRunContext
from prefect.states import Completed

from blocks.hub_events import told_to_prefect
from hub.claims import Lease, current, leased
from hub.effects import Stopped
from hub.enrolling import enrol
from hub.intake import place, raise_attempt
from hub.orders import Order, OrderRequest
from hub.releases import Release, ReleaseRequest
from hub.releasing import id_made_from, keep_release
from hub.signups import Signup, SignupRequest
from hub.subjects import Subject
from tasks.recovery import start_these
from tasks.timeline import IN_HAND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from prefect.client.schemas.objects import State

    from hub.signup_facets import Critical

Claimed = TypeVar("Claimed", bound=Subject)


@dataclass
class Held(Generic[Claimed]):
    """What a run holds while it works: the subject's snapshot, and afterwards what stopped it, if anything did."""

    lease: Lease[Claimed]
    stopped: Stopped | None = None

    @property
    def subject(self) -> Claimed:
        """The subject as it was when the run took it."""
        return self.lease.subject

    async def result(self) -> Any:
        """Return where the subject is now."""
        return (await self._left()).result()

    async def ending(self) -> State[Any]:
        """
        Return the state that the run ends in, named after where the subject is now.

        ``InHand``: another run works on it. ``Parked``: it goes on by itself later. Otherwise the subject's own name for how far it is.
        """
        subject = await self._left()
        if self.subject.in_hand:
            return Completed(name=IN_HAND, message=f"another run has this {subject.kind} in hand", data=subject.result())
        if self.stopped is not None:
            return Completed(name=type(self.stopped).__name__, message=str(self.stopped), data=subject.result())
        return Completed(name=subject.state_name, message=subject.message, data=subject.result())

    async def _left(self) -> Subject:
        left: Subject = self.lease.left or await current(self.subject.id, kind=self.subject.kind)
        return left


@asynccontextmanager
async def claimed(order_id: str, request: OrderRequest | None = None, attempt: int | None = None) -> AsyncIterator[Held[Order]]:
    """
    Hold the order while the block runs; keep it first when it came along, and raise its attempt when asked to. Ends like ``_held``.

    Raises:
        NoSuchOrder: There is no such order, and none came along.
        OrderDiffers: The id belongs to an order with other content.
        NoNewAttempt: The order's state allows no such attempt.
    """
    if request is not None:
        await place(order_id, request, first_attempt=attempt or 1)
    if attempt is not None:
        await raise_attempt(order_id, attempt)
    async with _held(order_id, "order") as held:
        yield held


@asynccontextmanager
async def enrolled(
    signup_id: str, request: SignupRequest | None = None, critical: Collection[Critical] | None = None
) -> AsyncIterator[Held[Signup]]:
    """
    Hold the sign-up while the block runs; keep it first when it came along. Ends like ``_held``.

    It may have another id than was asked for: that under which the mail address came first.

    Raises:
        NoSuchSignup: There is no such sign-up, and none came along.
        SignupDiffers: The id or the mail address belongs to a sign-up with other content.
        AliasInLiveMode: Live accounts, and the rehearsal's card.
    """
    if request is not None:
        signup_id = (await enrol(signup_id, request, critical=critical)).signup_id
    async with _held(signup_id, "signup") as held:
        yield held


@asynccontextmanager
async def released(release_id: str | None, request: ReleaseRequest | None = None) -> AsyncIterator[Held[Release]]:
    """
    Hold the release while the block runs; keep it first when it came along, if need be under an id made from the run. Ends like ``_held``.

    Raises:
        NoSuchRelease: There is no such release, and none came along.
        ReleaseDiffers: The id belongs to a release with other content.
    """
    release_id = release_id or id_made_from(_run_id())
    if request is not None:
        await keep_release(release_id, request)
    async with _held(release_id, "release") as held:
        yield held


@asynccontextmanager
async def _held(subject_id: str, kind: str) -> AsyncIterator[Held[Any]]:
    """
    Hold the subject while the block runs.

    A provider that cannot be reached, or a lease that was lost, ends the block quietly: ``Held.stopped`` says what it was, and the subject
    is due again when it should be. Anything else is a bug or a database that is down: it is raised, and the subject is due again, too.
    What was told meanwhile and is still to be seen to gets a run of its own at once.
    """
    run_id = _run_id()
    held: Held[Any] | None = None
    try:
        with told_to_prefect():
            async with leased(subject_id, run_id, kind) as lease:
                held = Held(lease)
                yield held
    except Stopped as stopped:
        if held is None:
            raise
        held.stopped = stopped
    if held.lease.due_anew:
        await start_these({(kind, held.subject.id)})


def _run_id() -> str:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("a subject is taken by a flow run; call the flow, not its inside")
    return str(context.flow_run.id)
