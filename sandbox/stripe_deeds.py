"""What an owner does in Stripe's dashboard, a cardholder at the bank, and a bank in its own time."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from sandbox import stripe_attempts, stripe_disputes, stripe_refunds
from sandbox.calls import World
from sandbox.control import Endpoint, json_of
from sandbox.deeds import Impossible, Order, carried_out
from sandbox.stripe_objects import NAME as STRIPE


class RefundOrder(Order):
    """``amount`` in minor units, by default all that is left."""

    amount: int | None = Field(default=None, gt=0)
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


class DisputeOrder(Order):
    """``amount`` in minor units, by default the whole charge."""

    amount: int | None = Field(default=None, gt=0)
    reason: str = "fraudulent"


class CloseOrder(Order):
    """Who wins the dispute: ``won`` is the shop."""

    status: Literal["won", "lost"]


class SettleOrder(Order):
    """How the bank ends a payment that is processing."""

    succeeds: bool = True


class FailOrder(Order):
    """Why the refund fails, in Stripe's words."""

    reason: str = "expired_or_canceled_card"


class StripeDeeds:
    """The endpoints at Stripe."""

    def __init__(self, world: World) -> None:
        self._world = world

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """Return where they live; a payment is named by its id or its charge's."""
        return [
            ("POST", "/stripe/payments/{id}/refund", self.refund),
            ("POST", "/stripe/payments/{id}/dispute", self.dispute),
            ("POST", "/stripe/payments/{id}/settle", self.settle),
            ("POST", "/stripe/disputes/{id}/close", self.close_dispute),
            ("POST", "/stripe/refunds/{id}/fail", self.fail_refund),
        ]

    async def refund(self, request: Request) -> Response:
        """Refund a payment as if by hand in Stripe's dashboard: without our metadata."""
        order = RefundOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            charge = self._paid_charge(request.path_params["id"])
            left = charge["amount_captured"] - charge["amount_refunded"]
            amount = left if order.amount is None else order.amount
            if not 0 < amount <= left:
                raise Impossible(409, f"{left} {charge['currency']} are left to refund")
            return stripe_refunds.give_back(self._world, charge, amount, reason=order.reason, metadata={})

        return await carried_out(self._world, do)

    async def dispute(self, request: Request) -> Response:
        """Have the cardholder dispute a payment."""
        order = DisputeOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            charge = self._paid_charge(request.path_params["id"])
            return stripe_disputes.opened(self._world, charge, amount=order.amount, reason=order.reason)

        return await carried_out(self._world, do)

    async def close_dispute(self, request: Request) -> Response:
        """End a dispute."""
        order = CloseOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            dispute = self._one("dispute", request.path_params["id"])
            if dispute["status"] != stripe_disputes.OPEN:
                raise Impossible(409, f"the dispute is {dispute['status']}")
            stripe_disputes.closed(self._world, dispute, order.status)
            return dispute

        return await carried_out(self._world, do)

    async def settle(self, request: Request) -> Response:
        """Have the bank end a payment that is processing."""
        order = SettleOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            intent = self._one("payment_intent", request.path_params["id"])
            if intent["status"] != "processing":
                raise Impossible(409, f"the payment is {intent['status']}")
            stripe_attempts.settled(self._world, intent, succeeds=order.succeeds)
            return intent

        return await carried_out(self._world, do)

    async def fail_refund(self, request: Request) -> Response:
        """Have the bank send a refund back."""
        order = FailOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            refund = self._one("refund", request.path_params["id"])
            if refund["status"] not in {"pending", "succeeded"}:
                raise Impossible(409, f"the refund is {refund['status']}")
            stripe_refunds.failed(self._world, refund, reason=order.reason)
            return refund

        return await carried_out(self._world, do)

    def _paid_charge(self, identity: str) -> dict[str, Any]:
        store = self._world.store
        intent = store.get(STRIPE, "payment_intent", identity)
        charge = store.get(STRIPE, "charge", (intent["latest_charge"] or "") if intent else identity)
        if charge is None:
            raise Impossible(404, "there is no such payment, or it has no charge")
        if not charge["paid"] or not charge["captured"]:
            raise Impossible(409, "the charge is not paid")
        return charge

    def _one(self, kind: str, identity: str) -> dict[str, Any]:
        found = self._world.store.get(STRIPE, kind, identity)
        if found is None:
            raise Impossible(404, f"there is no such {kind}")
        return found
