"""Stripe's objects as they go over the wire, and the events that tell about them."""

from __future__ import annotations

import time
from typing import Any

from sandbox.callback_delivery import Callback
from sandbox.calls import World, new_id
from sandbox.stripe_cards import Decline, Method

NAME = "stripe"
API_VERSION = "2026-10-28.endive"


def new_intent(**given: Any) -> dict[str, Any]:
    """Return a PaymentIntent with every field Stripe sends, ``given`` ones filled in."""
    identity = new_id("pi_3")
    return {
        "id": identity,
        "object": "payment_intent",
        "amount": 0,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identity}_secret_{new_id('', 25)}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": "usd",
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **given,
    }


def new_charge(intent: dict[str, Any], method: Method, *, decline: Decline | None, captured: bool) -> dict[str, Any]:
    """Return the charge of one attempt at ``intent``: paid, held when not ``captured``, or failed."""
    paid = decline is None
    identity = new_id("ch_3")
    return {
        "id": identity,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid and captured else 0,
        "amount_refunded": 0,
        "application": None,
        "balance_transaction": new_id("txn_3") if paid and captured else None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "calculated_statement_descriptor": "REHEARSAL",
        "captured": paid and captured,
        "created": int(time.time()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": {
            "network_status": "approved_by_network" if paid else "declined_by_network",
            "reason": decline.decline_code if decline else None,
            "risk_level": "normal",
            "seller_message": "Payment complete." if paid else "The bank did not return any further details with this decline.",
            "type": "authorized" if paid else "issuer_declined",
        },
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {
            method.kind: {"brand": method.brand, "last4": "4242"} if method.kind == "card" else {},
            "type": method.kind,
        },
        "receipt_email": intent["receipt_email"],
        "receipt_url": None,
        "refunded": False,
        "shipping": intent["shipping"],
        "status": "succeeded" if paid else "failed",
        "transfer_group": intent["transfer_group"],
    }


def new_refund(charge: dict[str, Any], amount: int, status: str, *, reason: str | None, metadata: dict[str, str]) -> dict[str, Any]:
    """Return a refund of ``amount`` minor units of ``charge``."""
    return {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn_3"),
        "charge": charge["id"],
        "created": int(time.time()),
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
        **({"pending_reason": "processing"} if status == "pending" else {}),
    }


def save(world: World, item: dict[str, Any], *, parent: str = "") -> None:
    """Keep an object under its own kind and id."""
    world.store.put(NAME, item["object"], item["id"], item, parent=parent)


def tell(world: World, kind: str, item: dict[str, Any], *, request_id: str | None = None, key: str | None = None, **before: Any) -> None:
    """
    Record and send the event that ``item`` is now like this.

    ``request_id`` and ``key`` name the request that made it so; ``before`` is what the changed attributes of an ``…updated`` event were.
    """
    identity = new_id("evt_3")
    event = {
        "id": identity,
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": item} | ({"previous_attributes": before} if before else {}),
        "livemode": False,
        "pending_webhooks": 1 if world.callbacks.calling.url else 0,
        "request": {"id": request_id, "idempotency_key": key},
        "type": kind,
    }
    save(world, event, parent=kind)
    world.callbacks.post(Callback(NAME, kind, identity, event))
