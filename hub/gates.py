"""Whether a provider may be called now: one row per provider, read in Begin, moved by what the calls bring, shared by all processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.errors import Misconfigured, ProviderError, RateLimited
from hub.policies import CLOSES_AFTER_MISCONFIGURED, GATE_CLOSED_SECONDS
from hub.settings import settings
from hub.subject_rows import database_now
from hub.tables import ProviderGateRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


async def closed_gate(session: AsyncSession, provider: str, now: datetime) -> tuple[datetime, str] | None:
    """Return until when the provider's gate is closed and why, or None when it is open."""
    gate = await session.get(ProviderGateRow, provider)
    until = closed_until(gate, now)
    return None if gate is None or until is None else (until, f"{provider} is closed: {gate.reason}")


def closed_until(gate: ProviderGateRow | None, now: datetime) -> datetime | None:
    """Return until when the gate is closed, or None when it is open."""
    return None if gate is None or gate.closed_until is None or gate.closed_until <= now else gate.closed_until


async def gate_is_fine(session: AsyncSession, provider: str) -> None:
    """Open a gate that misconfigured answers had closed: the provider understood us."""
    shaky = (col(ProviderGateRow.provider) == provider, col(ProviderGateRow.misconfigured_in_a_row) > 0)
    await session.exec(update(ProviderGateRow).where(*shaky).values(misconfigured_in_a_row=0, closed_until=None, reason=None))


async def gate_learns(session: AsyncSession, provider: str, error: ProviderError | None) -> None:
    """Close the gate after the third misconfigured answer in a row, and for as long as a provider asks for more patience than a run has."""
    if isinstance(error, Misconfigured):
        gate = await _locked(session, provider)
        gate.misconfigured_in_a_row += 1
        if gate.misconfigured_in_a_row >= CLOSES_AFTER_MISCONFIGURED:
            await _close(session, gate, GATE_CLOSED_SECONDS * settings().time_scale, f"misconfigured: {error.reason}")
    elif isinstance(error, RateLimited) and (error.retry_after_seconds or 0) > settings().wait_in_place_seconds:
        await _close(session, await _locked(session, provider), error.retry_after_seconds or 0, "it asks for patience")


async def _close(session: AsyncSession, gate: ProviderGateRow, seconds: float, reason: str) -> None:
    until = await database_now(session) + timedelta(seconds=seconds)
    if gate.closed_until is None or gate.closed_until < until:
        gate.closed_until, gate.reason = until, reason


async def _locked(session: AsyncSession, provider: str) -> ProviderGateRow:
    """Lock the provider's row, which is made when it is first needed; two that need it at once make one."""
    await session.exec(insert(ProviderGateRow).values(provider=provider, misconfigured_in_a_row=0).on_conflict_do_nothing())
    row = select(ProviderGateRow).where(col(ProviderGateRow.provider) == provider).with_for_update()
    return (await session.exec(row, execution_options={"populate_existing": True})).one()
