"""What a provider does in its own time: bank debits that settle, refunds that fail afterwards, labels that are printed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from sandbox.calls import Provider, World

_LOOK_SECONDS = 0.05
_log = logging.getLogger(__name__)


async def settle_what_is_due(world: World, providers: Mapping[str, Provider]) -> None:
    """Run for ever; everything is done once, each in one transaction with the note that it was due."""
    while True:
        row = world.store.connection.execute("SELECT * FROM later WHERE due <= ? ORDER BY due, n LIMIT 1", (time.time(),)).fetchone()
        if row is None:
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        with world.store.transaction():
            world.store.connection.execute("DELETE FROM later WHERE n = ?", (row["n"],))
            providers[row["provider"]].settle(world, row["what"], row["id"])
        _log.info("%s settled %s %s", row["provider"], row["what"], row["id"])
        await asyncio.sleep(0)
