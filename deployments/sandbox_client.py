"""The control side of the rehearsal providers, as far as the demo needs it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SandboxClient:
    """What really happened at the rehearsal providers, and what people and the world do there."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def effects(self, subject: str | None = None) -> list[dict[str, Any]]:
        """Return the effects, oldest first, of one subject or of all."""
        return await self._list("effects", {"subject": subject} if subject else {})

    async def payment_of(self, order_id: str) -> str | None:
        """Return the id of the order's latest payment at Stripe."""
        payments = await self._list("objects", {"provider": "stripe", "kind": "payment_intent"})
        return next((payment["id"] for payment in payments if payment["metadata"].get("order_id") == order_id), None)

    async def approve(self, payment_id: str) -> None:
        """Do what the customer does on the bank's page of 3-D Secure."""
        (await self._http.post(f"/stripe/3ds/{payment_id}", data={"outcome": "approve"})).raise_for_status()

    async def happen(self, path: str, **body: Any) -> None:
        """Do what people and the world do, e.g. ``happen("parcels/9205…", status="DELIVERED")``; its webhook follows."""
        (await self._http.post(f"/_sandbox/{path}", json=body)).raise_for_status()

    @asynccontextmanager
    async def misbehaving(self, provider: str, kind: str, **how: Any) -> AsyncIterator[None]:
        """Webhooks of this kind that are caused in the block go wrong as ``docs/sandbox.md`` explains; later ones go as usual."""
        await self.happen("webhooks", provider=provider, kind=kind, **how)
        try:
            yield
        finally:
            await self.happen("webhooks", provider=provider, kind=kind)

    @asynccontextmanager
    async def trouble(self, provider: str, operation: str, what: str, *, subject: str, **how: Any) -> AsyncIterator[None]:
        """While the block runs, such calls about ``subject`` go wrong as ``docs/sandbox.md`` explains."""
        order = {"provider": provider, "operation": operation, "what": what, "times": None, "match": {"subject": subject}, **how}
        fault = (await self._http.post("/_sandbox/faults", json=order)).raise_for_status().json()
        try:
            yield
        finally:
            (await self._http.delete(f"/_sandbox/faults/{fault['id']}")).raise_for_status()

    async def deliveries(self, provider: str, kind: str, about: str) -> list[dict[str, Any]]:
        """Return the webhooks of this kind that went out and name ``about``, oldest first, as they were sent."""
        sent = await self._list("webhooks", {"provider": provider, "kind": kind}, name="deliveries")
        return [one for one in sent if about in (one["body"] or "")]

    async def _list(self, path: str, query: dict[str, str], name: str | None = None) -> list[dict[str, Any]]:
        answer = await self._http.get(f"/_sandbox/{path}", params=query)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()[name or path]
        return found


@asynccontextmanager
async def sandbox_client(url: str, token: str) -> AsyncIterator[SandboxClient]:
    """The sandbox at ``url``; ``token`` is its control token."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http:
        yield SandboxClient(http)
