"""
Stripe's PaymentIntents: create, confirm, capture, cancel, read, list, search.

Source: https://docs.stripe.com/api/payment_intents
"""

from __future__ import annotations

from typing import Any

from sandbox import stripe_attempts
from sandbox.calls import Answer, Call, Operation
from sandbox.stripe_cards import Method, method_called
from sandbox.stripe_forms import check_names, invalid, metadata_of, missing, one_of, whole_number, yes_or_no
from sandbox.stripe_lists import listed, searched, shown
from sandbox.stripe_objects import NAME, new_intent, save, tell

_URL = "/v1/payment_intents"
_COPIED = ("description", "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")
_CONFIRMING = ("off_session", "return_url", "error_on_requires_action", "mandate_data", "use_stripe_sdk", "payment_method_options")
_CREATING = (
    *("amount", "currency", "automatic_payment_methods", "capture_method", "confirm", "confirmation_method", "customer", "metadata"),
    *("payment_method", "payment_method_types", "setup_future_usage"),
    *_COPIED,
    *_CONFIRMING,
)
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
# Presentment currencies, https://docs.stripe.com/currencies
_CURRENCIES = frozenset(
    (  # noqa: SIM905 - 135 quoted codes in a list are harder to read
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf "
        "chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk "
        "htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk "
        "mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf "
        "sar sbd scr sek sgd shp sle sll sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst "
        "xaf xcd xof xpf yer zar zmw "
    ).split()
)
_NEEDS_RETURN_URL = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might "
    "redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, "
    "set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
    "Intents and Payment Intents."
)


def create(call: Call) -> Answer:
    """Make a PaymentIntent and try it at once when ``confirm`` is true."""
    values = call.values
    check_names(values, _CREATING)
    amount = whole_number(values, "amount")
    currency = str(values.get("currency") or "").lower()
    if not currency:
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    if currency not in _CURRENCIES:
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    confirm = yes_or_no(values, "confirm")
    intent = new_intent(
        amount=amount,
        currency=currency,
        capture_method=one_of(values, "capture_method", ("automatic", "automatic_async", "manual"), "automatic_async"),
        confirmation_method=one_of(values, "confirmation_method", ("automatic", "manual"), "automatic"),
        setup_future_usage=one_of(values, "setup_future_usage", ("off_session", "on_session")),
        customer=_customer(call),
        metadata=metadata_of(values),
        payment_method=_method(values),
        **_methods_accepted(values),
        **{name: values[name] for name in _COPIED if name in values},
    )
    if intent["payment_method"] is not None:
        intent["status"] = "requires_confirmation"
    if confirm:
        _check_confirmation(intent, values)
    save(call.world, intent)
    tell(call.world, "payment_intent.created", intent, request_id=call.request_id, key=call.key)
    return (_confirmed(call, intent) if confirm else None) or shown(call, intent)


def confirm(call: Call) -> Answer:
    """Try the payment, with another payment method if one is given."""
    check_names(call.values, (*_CONFIRMING, "payment_method", "receipt_email", "setup_future_usage", "shipping", "capture_method"))
    intent = _intent(call)
    if intent["status"] not in {"requires_payment_method", "requires_confirmation", "requires_action"}:
        did = (
            "it has already succeeded after being previously confirmed"
            if intent["status"] == "succeeded"
            else f"it has a status of {intent['status']}"
        )
        raise _unexpected(intent, f"You cannot confirm this PaymentIntent because {did}.")
    intent["payment_method"] = _method(call.values) or intent["payment_method"]
    intent["next_action"] = None
    _check_confirmation(intent, call.values)
    return _confirmed(call, intent) or shown(call, intent)


def capture(call: Call) -> Answer:
    """Take what is held, or part of it."""
    check_names(call.values, ("amount_to_capture", "final_capture", "metadata", "statement_descriptor", "statement_descriptor_suffix"))
    intent = _intent(call)
    if intent["status"] != "requires_capture":
        only = "Only a PaymentIntent with one of the following statuses may be captured: requires_capture."
        raise _unexpected(intent, f"This PaymentIntent could not be captured because it has a status of {intent['status']}. {only}")
    amount = whole_number(call.values, "amount_to_capture", default=intent["amount"])
    if amount > intent["amount"]:
        raise invalid("The amount_to_capture is greater than the capturable amount.", param="amount_to_capture", code="amount_too_large")
    stripe_attempts.captured(call.world, intent, amount)
    return shown(call, intent)


def cancel(call: Call) -> Answer:
    """Make the payment impossible for good; refused once it has succeeded."""
    check_names(call.values, ("cancellation_reason",))
    intent = _intent(call)
    reason = one_of(call.values, "cancellation_reason", _REASONS)
    if intent["status"] not in _CANCELABLE:
        only = f"Only a PaymentIntent with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}."
        raise _unexpected(intent, f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. {only}")
    stripe_attempts.canceled(call.world, intent, reason)
    return shown(call, intent)


def read(call: Call) -> Answer:
    """Show one PaymentIntent."""
    return shown(call, _intent(call))


def list_all(call: Call) -> Answer:
    """List PaymentIntents, newest first; ``customer`` and ``created`` narrow it, metadata cannot."""
    check_names(call.values, ("created", "customer", "ending_before", "limit", "starting_after"))
    customer = call.values.get("customer")
    return listed(call, "payment_intent", _URL, fits=lambda intent: customer in {None, intent["customer"]})


def search(call: Call) -> Answer:
    """Search PaymentIntents."""
    check_names(call.values, ("limit", "page", "query"))
    return searched(call, "payment_intent", f"{_URL}/search")


def _confirmed(call: Call, intent: dict[str, Any]) -> Answer | None:
    return stripe_attempts.attempt(
        call.world,
        intent,
        page=f"{call.base_url}/3ds/{intent['id']}",
        return_url=call.values.get("return_url"),
        off_session=call.values.get("off_session", "false") != "false",
        no_action=yes_or_no(call.values, "error_on_requires_action"),
    )


def _check_confirmation(intent: dict[str, Any], values: dict[str, Any]) -> None:
    if intent["payment_method"] is None:
        sentence = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise _unexpected(
            intent,
            f"{sentence} You can either update the PaymentIntent with a payment method and then confirm it again, "
            "or confirm it again directly with a payment method or ConfirmationToken.",
        )
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] != "never" and not values.get("return_url"):
        raise invalid(_NEEDS_RETURN_URL)
    kind = (method_called(intent["payment_method"]) or Method()).kind
    if not automatic and kind not in intent["payment_method_types"]:
        accepted = ", ".join(intent["payment_method_types"])
        raise invalid(f"The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent, which accepts {accepted}.")


def _methods_accepted(values: dict[str, Any]) -> dict[str, Any]:
    types, automatic = values.get("payment_method_types"), values.get("automatic_payment_methods")
    if types is not None:
        if automatic is not None:
            raise invalid("You may only specify one of these parameters: automatic_payment_methods, payment_method_types.")
        if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
            raise invalid("Invalid array", param="payment_method_types")
        return {"payment_method_types": types}
    if automatic is not None and not isinstance(automatic, dict):
        raise invalid("Invalid object", param="automatic_payment_methods")
    if automatic is not None and not yes_or_no(automatic, "enabled"):
        return {}
    redirects = one_of(automatic or {}, "allow_redirects", ("always", "never"), "always")
    return {"automatic_payment_methods": {"allow_redirects": redirects, "enabled": True}}


def _method(values: dict[str, Any]) -> str | None:
    name = values.get("payment_method")
    if name and method_called(str(name)) is None:
        raise missing("PaymentMethod", str(name), param="payment_method", status=400)
    return str(name) if name else None


def _customer(call: Call) -> str | None:
    identity = call.values.get("customer")
    if identity and call.store.get(NAME, "customer", identity) is None:
        raise missing("customer", identity, param="customer", status=400)
    return identity or None


def _intent(call: Call) -> dict[str, Any]:
    intent = call.store.get(NAME, "payment_intent", call.parts["id"])
    if intent is None:
        raise missing("payment_intent", call.parts["id"])
    return intent


def _unexpected(intent: dict[str, Any], message: str) -> Exception:
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=intent)


OPERATIONS = (
    Operation("create payment", "POST", _URL, create),
    Operation("list payments", "GET", _URL, list_all),
    Operation("search payments", "GET", f"{_URL}/search", search),
    Operation("read payment", "GET", _URL + "/{id}", read),
    Operation("confirm payment", "POST", _URL + "/{id}/confirm", confirm),
    Operation("capture payment", "POST", _URL + "/{id}/capture", capture),
    Operation("cancel payment", "POST", _URL + "/{id}/cancel", cancel),
)
