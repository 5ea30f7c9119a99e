"""A provider's gate that closes or opens: who wants to hear of it does so once it is committed, from the process that made it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from sqlalchemy import event

from hub.values import Frozen

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.tables import ProviderGateRow


class GateChange(Frozen):
    """
    A gate that was open is closed, or one that was closed is open; the two take turns. ``reason``: why it is closed, or was.

    A moment of patience, which everybody waits for in place, is neither. The reason is in our words and holds no secret.
    """

    provider: str
    state: Literal["closed", "opened"]
    reason: str


Listener = Callable[[GateChange], None]
_listener: ContextVar[Listener | None] = ContextVar("gate_listener", default=None)


@contextmanager
def gates_told_to(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear of every gate that is closed or opened from within the block. It must neither wait nor raise."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def moving(session: AsyncSession, gate: ProviderGateRow) -> Iterator[None]:
    """What the block does to the gate is told, if it closes or opens it, as soon as the session has committed it."""
    before = _why_closed(gate)
    yield
    after, listener = _why_closed(gate), _listener.get()
    if listener is None or (before is None) == (after is None):
        return
    change = GateChange(provider=gate.provider, state="closed" if before is None else "opened", reason=after or before or "")
    event.listen(session.sync_session, "after_commit", lambda _: listener(change), once=True)


def _why_closed(gate: ProviderGateRow) -> str | None:
    if gate.paused is not None:
        return f"paused: {gate.paused}"
    return None if gate.closed_until is None else gate.reason
