"""The gates as people see them and move them: listed, paused, resumed, limited; and whoever parked behind one is woken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import exists, func, select, update
from sqlmodel import col

from hub.database import transaction
from hub.effects import STEPS
from hub.gate_changes import moving
from hub.gates import PATIENCE, locked_gate
from hub.kinds import KINDS
from hub.steps import EffectState
from hub.tables import EffectRow, ProviderGateRow
from hub.values import Frozen

PROVIDERS = tuple(sorted({step.provider for steps in STEPS.values() for step in steps.values()}))
_STILL_TO_ASK = (EffectState.INTENDED, EffectState.UNKNOWN)


class NoSuchProvider(Exception):
    """The hub calls no provider of this name."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider

    def __str__(self) -> str:
        return f"the hub calls no provider {self.provider!r}; it calls {', '.join(PROVIDERS)}"


class Gate(Frozen):
    """
    A provider's gate. Closed until ``closed_until``, or by a person (``paused``, with the reason); else open.

    ``calls`` and ``failures`` count since the first failure of the last minute; ``breaks``: too many of them close the gate. At most
    ``rate_per_second`` calls, ``burst`` of them at once.
    """

    provider: str
    closed_until: datetime | None = None
    reason: str | None = None
    paused: str | None = None
    breaks: bool = True
    calls: int = 0
    failures: int = 0
    rate_per_second: float | None = None
    burst: int = 1

    @property
    def state(self) -> str:
        """``open``, ``closed`` or ``paused``."""
        if self.paused is not None:
            return "paused"
        return "open" if self.closed_until is None else "closed"


async def gates() -> list[Gate]:
    """Return the gate of each provider that the hub calls."""
    async with transaction() as session:
        now = func.clock_timestamp()
        found = await session.exec(select(ProviderGateRow, now))  # type: ignore[call-overload] # SQLModel's select knows no function
        known = {row.provider: _gate(row, at) for row, at in found}
    return [known.get(provider, Gate(provider=provider)) for provider in PROVIDERS]


async def is_left_alone(provider: str) -> bool:
    """Tell whether nobody may ask the provider anything now: what is asked without the ledger heeds its gate, too."""
    return any(gate.provider == provider and gate.state != "open" for gate in await gates())


def _gate(row: ProviderGateRow, now: datetime) -> Gate:
    closed = row.closed_until is not None and row.closed_until > now
    counts = {"calls": row.calls, "failures": row.failures} if row.window_began_at is not None else {}
    return Gate(
        provider=row.provider,
        closed_until=row.closed_until if closed else None,
        reason=(row.reason or PATIENCE) if closed else None,
        paused=row.paused,
        breaks=row.breaks,
        rate_per_second=row.rate_per_second,
        burst=row.burst,
        **counts,
    )


async def pause(provider: str, because: str) -> None:
    """Call the provider no more until ``resume``; whatever needs it parks. Raises ``NoSuchProvider``."""
    async with _moved(provider) as gate:
        gate.paused = because


async def resume(provider: str) -> int:
    """Open the gate, whoever closed it, and wake what parked behind it; returns how many subjects. Raises ``NoSuchProvider``."""
    async with _moved(provider) as gate:
        gate.paused = gate.closed_until = gate.reason = None
        gate.probes = gate.probing = False
        gate.closings = gate.misconfigured_in_a_row = 0
    return await _wake(provider)


async def limit(provider: str, rate_per_second: float | None, burst: int = 1) -> None:
    """Call the provider at most so often, in bursts of at most so many; None: as often as there is need. Raises ``NoSuchProvider``."""
    async with _moved(provider) as gate:
        gate.rate_per_second, gate.burst = rate_per_second, burst
        gate.free_at = gate.passed_at = None


async def set_breaker(provider: str, *, on: bool) -> None:
    """Let too many failures close the gate, or not: where they say nothing about the next call. Raises ``NoSuchProvider``."""
    async with _moved(provider) as gate:
        gate.breaks = on


async def wake_behind_opened_gates() -> int:
    """Make due what parked behind a gate that a probe has opened since; returns how many subjects."""
    async with transaction() as session:
        opened = update(ProviderGateRow).where(col(ProviderGateRow.wakes)).values(wakes=False).returning(col(ProviderGateRow.provider))
        providers = [row[0] for row in await session.exec(opened)]
    return sum([await _wake(provider) for provider in providers])


@asynccontextmanager
async def _moved(provider: str) -> AsyncIterator[ProviderGateRow]:
    if provider not in PROVIDERS:
        raise NoSuchProvider(provider)
    async with transaction() as session:
        gate = await locked_gate(session, provider)
        with moving(session, gate):
            yield gate


async def _wake(provider: str) -> int:
    """Make due now what waits with an effect that is still to be asked of the provider; who is at work on it is left alone."""
    now = func.clock_timestamp()
    open_here = (col(EffectRow.provider) == provider, col(EffectRow.state).in_(_STILL_TO_ASK))
    woken = 0
    async with transaction() as session:
        await session.exec(update(EffectRow).where(*open_here, col(EffectRow.resume_at) > now).values(resume_at=now))
        for kind in KINDS.values():
            table = kind.row
            waits = exists().where(*open_here, col(EffectRow.subject_kind) == kind.name, col(EffectRow.subject_id) == col(table.id))
            asleep = select(col(table.id)).where(col(table.resume_at) > now, col(table.attention).is_(None), waits)
            ids = asleep.order_by(col(table.id)).with_for_update(skip_locked=True)
            found = await session.exec(update(table).where(col(table.id).in_(ids)).values(resume_at=now).returning(col(table.id)))
            woken += len(found.all())
    return woken
