"""What becomes of a PaymentIntent when it is tried: paid, held, declined, in need of the customer, or under way at a bank."""

from __future__ import annotations

import time
from typing import Any

from sandbox.calls import Answer, World
from sandbox.stripe_cards import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    BANK_REFUSED,
    Authentication,
    Decline,
    Method,
    Settling,
    method_called,
)
from sandbox.stripe_objects import NAME, new_charge, save, tell


def attempt(
    world: World, intent: dict[str, Any], *, page: str, return_url: str | None, off_session: bool, no_action: bool
) -> Answer | None:
    """
    Try the payment. Returns the 402 answer of a decline, or None; ``intent`` tells the rest and is saved.

    ``page`` is where a customer can prove who it is; ``no_action`` is Stripe's ``error_on_requires_action``.
    """
    method = method_called(intent["payment_method"]) or Method()
    intent["payment_method_types"] = sorted({*intent["payment_method_types"], method.kind})
    needed = method.authentication is Authentication.ALWAYS or (method.authentication is Authentication.ON_SESSION and not off_session)
    if needed and (off_session or no_action):
        return _declined(world, intent, method, AUTHENTICATION_REQUIRED)
    if needed:
        intent["status"] = "requires_action"
        intent["next_action"] = (
            {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
            if return_url
            else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page}}
        )
        save(world, intent)
        tell(world, "payment_intent.requires_action", intent)
        return None
    return _tried(world, intent, method)


def authenticated(world: World, intent: dict[str, Any], *, approved: bool) -> None:
    """Go on after the customer approved the payment, or failed to."""
    method = method_called(intent["payment_method"]) or Method()
    intent["next_action"] = None
    if approved:
        _tried(world, intent, method)
    else:
        _declined(world, intent, method, AUTHENTICATION_FAILED)


def settled(world: World, intent: dict[str, Any], *, succeeds: bool | None = None) -> None:
    """End a payment that was under way at a bank, as its method says or as told; nothing when it was canceled meanwhile."""
    method = method_called(intent["payment_method"] or "") or Method()
    if intent["status"] != "processing":
        return
    if succeeds is False or (succeeds is None and method.settling is Settling.FAILS_LATER):
        _declined(world, intent, method, BANK_REFUSED)
    else:
        _paid(world, intent, method)


def captured(world: World, intent: dict[str, Any], amount: int) -> None:
    """Take ``amount`` of what is held; the rest is let go."""
    charge = world.store.get(NAME, "charge", intent["latest_charge"]) or {}
    charge.update(captured=True, amount_captured=amount, amount_refunded=intent["amount"] - amount)
    save(world, charge)
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
    _record(world, "stripe.charge", charge["id"], intent, amount)
    save(world, intent)
    tell(world, "charge.captured", charge)
    tell(world, "payment_intent.succeeded", intent)


def canceled(world: World, intent: dict[str, Any], reason: str | None) -> None:
    """Make the payment impossible for good; what is held is let go."""
    intent.update(status="canceled", canceled_at=int(time.time()), cancellation_reason=reason, amount_capturable=0, next_action=None)
    _record(world, "stripe.payment_canceled", intent["id"], intent, intent["amount"])
    save(world, intent)
    tell(world, "payment_intent.canceled", intent)


def _tried(world: World, intent: dict[str, Any], method: Method) -> Answer | None:
    if method.decline is not None:
        return _declined(world, intent, method, method.decline)
    if method.settling is Settling.AT_ONCE:
        _paid(world, intent, method)
        return None
    intent["status"] = "processing"
    save(world, intent)
    tell(world, "payment_intent.processing", intent)
    if method.settling is not Settling.NEVER:
        world.later(NAME, "payment", intent["id"])
    return None


def _paid(world: World, intent: dict[str, Any], method: Method) -> None:
    at_once = intent["capture_method"] != "manual"
    charge = new_charge(intent, method, decline=None, captured=at_once)
    intent.update(latest_charge=charge["id"], last_payment_error=None)
    if at_once:
        intent.update(status="succeeded", amount_received=intent["amount"])
        _record(world, "stripe.charge", charge["id"], intent, intent["amount"])
    else:
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        _record(world, "stripe.authorization", charge["id"], intent, intent["amount"])
    save(world, charge, parent=intent["id"])
    save(world, intent)
    tell(world, "charge.succeeded", charge)
    tell(world, "payment_intent.succeeded" if at_once else "payment_intent.amount_capturable_updated", intent)
    if at_once and method.disputed:
        world.later(NAME, "dispute", charge["id"])


def _declined(world: World, intent: dict[str, Any], method: Method, decline: Decline) -> Answer:
    charge = new_charge(intent, method, decline=decline, captured=False)
    error = {
        "charge": charge["id"],
        "code": decline.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": {"id": intent["payment_method"], "object": "payment_method", "type": method.kind, "livemode": False},
        "type": "card_error" if method.kind == "card" else "invalid_request_error",
    } | ({"decline_code": decline.decline_code} if decline.decline_code else {})
    intent.update(status="requires_payment_method", latest_charge=charge["id"], last_payment_error=error, payment_method=None)
    save(world, charge, parent=intent["id"])
    save(world, intent)
    tell(world, "charge.failed", charge)
    tell(world, "payment_intent.payment_failed", intent)
    return Answer(402, {"error": {**error, "payment_intent": intent}})


def _record(world: World, kind: str, identity: str, intent: dict[str, Any], amount: int) -> None:
    reference = {**intent["metadata"], "payment_intent": intent["id"]}
    world.effects.record(kind, identity, reference, money=(amount, intent["currency"]))
