"""
Stripe's disputes: a cardholder takes the money back through the bank, and later one of the two sides wins.

Source: https://docs.stripe.com/api/disputes and https://docs.stripe.com/testing#disputes
"""

from __future__ import annotations

import time
from typing import Any

from sandbox.calls import Answer, Call, Operation, World, new_id
from sandbox.stripe_forms import check_names, missing
from sandbox.stripe_lists import listed, shown
from sandbox.stripe_objects import NAME, save, tell

OPEN = "needs_response"
_ANSWER_DAYS = 7


def opened(world: World, charge: dict[str, Any], *, amount: int | None = None, reason: str = "fraudulent") -> dict[str, Any]:
    """Have the cardholder dispute ``amount`` minor units of a paid charge, by default all; returns the dispute."""
    now = int(time.time())
    dispute = {
        "id": new_id("du_1"),
        "object": "dispute",
        "amount": charge["amount"] if amount is None else amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": now + _ANSWER_DAYS * 24 * 3600,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10"}, "type": "card"},
        "reason": reason,
        "status": OPEN,
    }
    charge["disputed"] = True
    save(world, charge)
    save(world, dispute, parent=charge["payment_intent"])
    _record(world, "stripe.dispute", dispute)
    tell(world, "charge.dispute.created", dispute)
    tell(world, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def closed(world: World, dispute: dict[str, Any], status: str) -> None:
    """End a dispute: ``won`` brings the money back, ``lost`` does not."""
    dispute["status"] = status
    save(world, dispute)
    _record(world, f"stripe.dispute_{status}", dispute)
    tell(world, "charge.dispute.closed", dispute)
    if status == "won":
        tell(world, "charge.dispute.funds_reinstated", dispute)


def _record(world: World, kind: str, dispute: dict[str, Any]) -> None:
    intent = world.store.get(NAME, "payment_intent", dispute["payment_intent"]) or {}
    reference = {**intent.get("metadata", {}), "payment_intent": dispute["payment_intent"], "charge": dispute["charge"]}
    world.effects.record(kind, dispute["id"], reference, money=(dispute["amount"], dispute["currency"]))


def _read(call: Call) -> Answer:
    dispute = call.store.get(NAME, "dispute", call.parts["id"])
    if dispute is None:
        raise missing("dispute", call.parts["id"], param="dispute")
    return shown(call, dispute)


def _list(call: Call) -> Answer:
    check_names(call.values, ("charge", "created", "ending_before", "limit", "payment_intent", "starting_after"))
    charge = call.values.get("charge")
    fits = (lambda dispute: dispute["charge"] == charge) if charge else None
    return listed(call, "dispute", "/v1/disputes", parent=call.values.get("payment_intent"), fits=fits)


OPERATIONS = (
    Operation("list disputes", "GET", "/v1/disputes", _list),
    Operation("read dispute", "GET", "/v1/disputes/{id}", _read),
)
