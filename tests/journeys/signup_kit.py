"""Sign-ups for journeys: placed at the real door, and what the providers counted about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from deployments.examples import EXAMPLE_SIGNUP
from tests.journeys.hub_under_test import Hub, until

PHONE = "+12025550123"
EVERYTHING = Counter({"profiles.profile": 1, "stripe.charge": 1, "sendgrid.mail": 2, "twilio.text": 1})


def a_signup(signup_id: str, **changes: Any) -> dict[str, Any]:
    """The tutorial's sign-up, of somebody of its own."""
    return {**EXAMPLE_SIGNUP, "email": f"{signup_id}@example.com", **changes}


async def place(hub: Hub, signup_id: str, *, strict: bool = False, **changes: Any) -> httpx.Response:
    critical = {"critical": ["profile", "payment"]} if strict else {}
    return await hub.gateway.put(f"/signups/{signup_id}", json=a_signup(signup_id, **changes), params=critical)


async def signup(hub: Hub, signup_id: str) -> dict[str, Any]:
    return dict((await hub.gateway.get(f"/signups/{signup_id}")).raise_for_status().json())


async def until_signup(hub: Hub, signup_id: str, condition: Callable[[dict[str, Any]], bool], *, seconds: float = 60) -> dict[str, Any]:
    """Return the sign-up once the condition holds for it."""
    latest: dict[str, Any] = {}

    async def there() -> bool:
        latest.update(await signup(hub, signup_id))
        return condition(latest)

    await until(there, seconds=seconds, what=lambda: f"{signup_id}, but {latest}")
    return latest


async def until_reported(hub: Hub, signup_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
    """Return the sign-up once it has one of these statuses, or any final one."""
    wanted = statuses or ("COMPLETE", "PARTIAL", "FAILED")
    return await until_signup(hub, signup_id, lambda view: view["status"] in wanted, seconds=seconds)


async def signup_at_rest(hub: Hub, signup_id: str, status: str, *, seconds: float = 60) -> dict[str, Any]:
    """Return the sign-up once it has this status and no run of it is due."""
    return await until_signup(hub, signup_id, lambda view: view["status"] == status and view["resumeAt"] is None, seconds=seconds)


def told(view: dict[str, Any]) -> set[tuple[str, str]]:
    """The notifications that went out, as type and channel."""
    return {(sent["type"], sent["channel"]) for sent in view["notificationsSent"]}


async def seen(hub: Hub, signup_id: str) -> Counter[str]:
    """What the providers did for the sign-up."""
    return await hub.seen(signup_id)
