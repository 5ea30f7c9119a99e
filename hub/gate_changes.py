"""A provider's gate that closes or opens: who wants to hear of it does so once it is committed, from the process that made it so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from hub.changes import Changes
from hub.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

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


_changes = Changes[GateChange]("gate_changes")
gates_told_to = _changes.told_to


@contextmanager
def moving(session: AsyncSession, gate: ProviderGateRow) -> Iterator[None]:
    """What the block does to the gate is told, if it closes or opens it, as soon as the session has committed it."""
    before = _why_closed(gate)
    yield
    after = _why_closed(gate)
    if (before is None) != (after is None):
        state: Literal["closed", "opened"] = "closed" if before is None else "opened"
        _changes.tell(session, GateChange(provider=gate.provider, state=state, reason=after or before or ""))


def _why_closed(gate: ProviderGateRow) -> str | None:
    if gate.paused is not None:
        return f"paused: {gate.paused}"
    return None if gate.closed_until is None else gate.reason
