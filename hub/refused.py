"""How often somebody knocked who was not surely the provider: a number per provider, nothing of what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from hub.database import transaction
from hub.inbox_tables import RefusedDeliveryRow


async def note_refused(counts: Mapping[str, int]) -> None:
    """Add the counts, by provider, to those of the database."""
    ordered = [{"provider": provider, "count": count} for provider, count in sorted(counts.items())]  # two writers lock in one order
    new = insert(RefusedDeliveryRow).values(ordered)
    added = col(RefusedDeliveryRow.count) + new.excluded.count
    async with transaction() as session:
        await session.exec(new.on_conflict_do_update(index_elements=["provider"], set_={"count": added, "last_at": func.clock_timestamp()}))
