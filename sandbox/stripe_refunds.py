"""
Stripe's refunds: never more than was paid, sometimes pending, sometimes failing after they had succeeded.

Source: https://docs.stripe.com/api/refunds and https://docs.stripe.com/testing#refunds
"""

from __future__ import annotations

from typing import Any

from sandbox.calls import Answer, Call, Operation, World
from sandbox.stripe_cards import Method, Refunding, method_called
from sandbox.stripe_forms import check_names, invalid, metadata_of, missing, one_of, whole_number
from sandbox.stripe_lists import listed, shown
from sandbox.stripe_objects import NAME, new_refund, save, tell

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call) -> Answer:
    """Give money of a paid charge back."""
    check_names(call.values, ("amount", "charge", "metadata", "payment_intent", "reason"))
    metadata, reason = metadata_of(call.values), one_of(call.values, "reason", _REASONS)
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = whole_number(call.values, "amount", default=left)
    if amount > left:
        raise invalid(
            f"Refund amount ({amount} {charge['currency']}) is greater than unrefunded amount on charge ({left} {charge['currency']})",
            param="amount",
        )
    refund = give_back(call.world, charge, amount, reason=reason, metadata=metadata, request_id=call.request_id, key=call.key)
    return shown(call, refund)


def give_back(
    world: World,
    charge: dict[str, Any],
    amount: int,
    *,
    reason: str | None,
    metadata: dict[str, str],
    request_id: str | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Refund ``amount`` minor units of a charge that has them left, and return the refund."""
    refunding = (method_called(charge["payment_method"]) or Method()).refunding
    status = "pending" if refunding is Refunding.PENDING_THEN_SUCCEEDS else "succeeded"
    refund = new_refund(charge, amount, status, reason=reason, metadata=metadata)
    _move(world, charge, amount)
    save(world, refund, parent=charge["payment_intent"])
    _record(world, "stripe.refund", refund)
    tell(world, "refund.created", refund, request_id=request_id, key=key)
    tell(world, "charge.refunded", charge, request_id=request_id, key=key)
    if refunding is not Refunding.SUCCEEDS:
        world.later(NAME, "refund", refund["id"])
    return refund


def read(call: Call) -> Answer:
    """Show one refund."""
    refund = call.store.get(NAME, "refund", call.parts["id"])
    if refund is None:
        raise missing("refund", call.parts["id"], param="refund")
    return shown(call, refund)


def list_all(call: Call) -> Answer:
    """List refunds, newest first; ``payment_intent`` and ``charge`` narrow it."""
    check_names(call.values, ("charge", "created", "ending_before", "limit", "payment_intent", "starting_after"))
    charge = call.values.get("charge")
    fits = (lambda refund: refund["charge"] == charge) if charge else None
    return listed(call, "refund", "/v1/refunds", parent=call.values.get("payment_intent"), fits=fits)


def settled(world: World, refund: dict[str, Any]) -> None:
    """End a refund that was pending, or let one fail that had succeeded: its money comes back to us."""
    if refund["status"] == "pending":
        refund["status"] = "succeeded"
        refund.pop("pending_reason", None)
        save(world, refund)
        tell(world, "refund.updated", refund, status="pending")
    elif refund["status"] == "succeeded":
        failed(world, refund)


def failed(world: World, refund: dict[str, Any], *, reason: str = "unknown") -> None:
    """Let a refund fail, pending or succeeded; its money comes back to us."""
    refund.pop("pending_reason", None)
    refund.update(status="failed", failure_reason=reason)
    charge = world.store.get(NAME, "charge", refund["charge"]) or {}
    _move(world, charge, -refund["amount"])
    save(world, refund)
    _record(world, "stripe.refund_failed", refund)
    tell(world, "refund.failed", refund)


def _move(world: World, charge: dict[str, Any], amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]
    save(world, charge)


def _charge(call: Call) -> dict[str, Any]:
    intent_id, charge_id = call.values.get("payment_intent"), call.values.get("charge")
    if intent_id:
        intent = call.store.get(NAME, "payment_intent", intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, param="payment_intent", status=400)
        if intent["status"] != "succeeded":
            raise invalid(f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.", param="payment_intent")
        charge_id = intent["latest_charge"]
    if not charge_id:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.", code="parameter_missing"
        )
    charge = call.store.get(NAME, "charge", charge_id)
    if charge is None:
        raise missing("charge", charge_id, param="charge", status=400)
    if not charge["paid"] or not charge["captured"]:
        raise invalid(f"Charge {charge_id} has not been paid and cannot be refunded.", param="charge")
    return charge


def _record(world: World, kind: str, refund: dict[str, Any]) -> None:
    intent = world.store.get(NAME, "payment_intent", refund["payment_intent"]) or {}
    reference = {**intent.get("metadata", {}), **refund["metadata"], "payment_intent": refund["payment_intent"]}
    world.effects.record(kind, refund["id"], reference, money=(refund["amount"], refund["currency"]))


OPERATIONS = (
    Operation("refund payment", "POST", "/v1/refunds", create),
    Operation("list refunds", "GET", "/v1/refunds", list_all),
    Operation("read refund", "GET", "/v1/refunds/{id}", read),
)
