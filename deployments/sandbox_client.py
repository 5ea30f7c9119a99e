"""The control side of the rehearsal providers, as far as the demo needs it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SandboxClient:
    """What really happened at the rehearsal providers."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def effects(self, subject: str | None = None) -> list[dict[str, Any]]:
        """Return the effects, oldest first, of one subject or of all."""
        answer = await self._http.get("/_sandbox/effects", params={"subject": subject} if subject else {})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["effects"]
        return found


@asynccontextmanager
async def sandbox_client(url: str, token: str) -> AsyncIterator[SandboxClient]:
    """The sandbox at ``url``; ``token`` is its control token."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http:
        yield SandboxClient(http)
