"""Steps that a process can live without: they fail politely, and a bug of ours still fails loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from hub.effects import Parked
from hub.errors import ProviderError


async def courtesies(**steps: Awaitable[Any]) -> tuple[str, ...]:
    """
    Run optional steps side by side and return the names of those that did not happen, with the reason.

    Only a provider's failure is forgiven. The ledger keeps what was surely not sent and tries it again until it is no longer useful.
    """
    outcomes = await asyncio.gather(*steps.values(), return_exceptions=True)
    missed = []
    for name, outcome in zip(steps, outcomes, strict=True):
        if isinstance(outcome, ProviderError | Parked):
            missed.append(f"{name} ({outcome})")
        elif isinstance(outcome, BaseException):
            raise outcome
    return tuple(missed)
