"""The processes that are killed: what is asked for, what the world does then, and where it must end."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from deployments.examples import EXAMPLE_RELEASE
from tests.journeys.hub_under_test import Hub, an_order, until
from tests.journeys.signup_kit import PHONE, a_signup

PATIENCE_SECONDS = 240.0
Then = Callable[[Hub, str], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class Scenario:
    """One way through a process. ``then``: what people and the world do after the placing; it follows the hub's own pace."""

    name: str
    kind: str
    ends: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    then: Then | None = None
    strict: bool = False

    def subject(self, suffix: str) -> str:
        """The id of one of its subjects."""
        return f"{self.kind}-{self.name}-{suffix}"

    async def place(self, hub: Hub, subject: str) -> None:
        """Ask for it at the door."""
        query = {"critical": ["profile", "payment"]} if self.strict else {}
        (await hub.gateway.put(f"/{self.kind}s/{subject}", json=self._request(subject), params=query)).raise_for_status()

    def _request(self, subject: str) -> dict[str, Any]:
        match self.kind:
            case "order":
                return an_order(**self.changes)
            case "signup":
                return a_signup(subject, **self.changes)
            case _:
                return {**EXAMPLE_RELEASE, **self.changes}


async def until_order(hub: Hub, subject: str, *statuses: str) -> dict[str, Any]:
    """Return the order once it has one of these statuses and nobody is at work on it, whatever has to come back first."""
    latest: dict[str, Any] = {}

    async def there() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            latest.update(await hub.order(subject))
        return latest.get("status") in statuses and latest["resumeAt"] is None

    await until(there, seconds=PATIENCE_SECONDS, what=lambda: f"{subject}, but {latest}")
    return latest


async def asked(hub: Hub, path: str, body: dict[str, Any]) -> None:
    """Ask the gateway until it has said yes."""

    async def taken() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return (await hub.gateway.post(path, json=body)).is_success
        return False

    await until(taken, seconds=PATIENCE_SECONDS, what=lambda: path)


async def handed_over(hub: Hub, subject: str) -> None:
    """The warehouse packs the parcel, and the carrier has it."""
    order = await until_order(hub, subject, "confirmed", "needs_attention")
    if order["trackingNumber"] is not None:
        for kind in ("packed", "picked_up"):
            await hub.sandbox.world("events/custom", type=kind, data={"orderId": subject})
        await hub.sandbox.world(f"parcels/{order['trackingNumber']}", status="TRANSIT")


async def authenticated(hub: Hub, subject: str) -> None:
    """The customer approves the payment on the bank's page."""
    await until_order(hub, subject, "awaiting_payment")
    payments = await hub.sandbox.objects("stripe", "payment_intent")
    await hub.sandbox.customer_approves(next(one["id"] for one in payments if one["metadata"].get("order_id") == subject))


async def unwanted(hub: Hub, subject: str) -> None:
    """The customer cancels the order when it is confirmed: the money, the goods and the label go back."""
    await until_order(hub, subject, "confirmed", "needs_attention")
    await asked(hub, f"/orders/{subject}/cancel", {})


async def half_back(hub: Hub, subject: str) -> None:
    """Somebody gives a part of the money back when the order is confirmed."""
    await until_order(hub, subject, "confirmed", "needs_attention")
    await asked(hub, f"/orders/{subject}/refunds", {"refundId": "half", "amount": 5000})


PHONE_WANTED = {"phoneNumber": PHONE, "preferences": {"sms_notifications": True}}
DECLINED = {"amount": 29.99, "paymentMethod": "pm_card_chargeDeclined"}


def _to(zip_code: str) -> dict[str, Any]:
    return {"shipping": {"street": "1 Main St", "city": "San Francisco", "state": "CA", "zip": zip_code}}


SCENARIOS = (
    Scenario("confirmed", "order", "confirmed"),
    Scenario("undone", "order", "refunded", _to("00000")),
    Scenario("declined", "order", "payment_failed", {"paymentMethod": "pm_card_chargeDeclined"}),
    Scenario("other-carrier", "order", "confirmed", _to("00001")),
    Scenario("on-its-way", "order", "in_transit", then=handed_over),
    Scenario("authenticated", "order", "confirmed", {"paymentMethod": "pm_card_authenticationRequired"}, then=authenticated),
    Scenario("unwanted", "order", "refunded", then=unwanted),
    Scenario("half-back", "order", "confirmed", then=half_back),
    Scenario("complete", "signup", "COMPLETE", PHONE_WANTED),
    Scenario("removed", "signup", "FAILED", {"initialPayment": DECLINED, **PHONE_WANTED}, strict=True),
    Scenario("asked-for", "release", "waiting"),
)
