"""Stripe, rehearsed: keys, headers, errors, and the smaller things one asks of it."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from starlette.requests import Request

from sandbox import stripe_attempts, stripe_disputes, stripe_payments, stripe_refunds
from sandbox.calls import Answer, Call, Operation, Provider, World, new_id
from sandbox.effects import subject_of
from sandbox.stripe_forms import check_names, invalid, metadata_of, missing, parse_form
from sandbox.stripe_lists import listed, shown
from sandbox.stripe_objects import API_VERSION, NAME, save

_TEST_KEYS = ("sk_test_", "rk_test_")
_KINDS = {"pi": "payment_intent", "ch": "charge", "re": "refund", "cus": "customer", "du": "dispute"}
_CUSTOMER_FIELDS = ("email", "name", "phone", "description", "address", "shipping")


def _read_charge(call: Call) -> Answer:
    return _one(call, "charge")


def _list_charges(call: Call) -> Answer:
    check_names(call.values, ("created", "customer", "ending_before", "limit", "payment_intent", "starting_after"))
    customer = call.values.get("customer")
    return listed(
        call,
        "charge",
        "/v1/charges",
        parent=call.values.get("payment_intent"),
        fits=lambda charge: customer in {None, charge["customer"]},
    )


def _create_customer(call: Call) -> Answer:
    check_names(call.values, (*_CUSTOMER_FIELDS, "metadata", "payment_method"))
    customer = {
        "id": new_id("cus_", 14),
        "object": "customer",
        "balance": 0,
        "created": int(time.time()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "livemode": False,
        "metadata": metadata_of(call.values),
        **{name: call.values.get(name) for name in _CUSTOMER_FIELDS},
    }
    save(call.world, customer)
    return shown(call, customer)


def _read_customer(call: Call) -> Answer:
    return _one(call, "customer")


def _list_customers(call: Call) -> Answer:
    check_names(call.values, ("created", "email", "ending_before", "limit", "starting_after"))
    email = call.values.get("email")
    return listed(call, "customer", "/v1/customers", fits=lambda customer: email in {None, customer["email"]})


def _read_event(call: Call) -> Answer:
    return _one(call, "event")


def _list_events(call: Call) -> Answer:
    check_names(call.values, ("created", "delivery_success", "ending_before", "limit", "starting_after", "type", "types"))
    kinds = call.values.get("types") or ([call.values["type"]] if "type" in call.values else None)
    return listed(call, "event", "/v1/events", fits=lambda event: kinds is None or event["type"] in kinds)


def _balance(call: Call) -> Answer:
    taken = call.store.connection.execute(
        "SELECT currency, sum(CASE kind WHEN 'refund' THEN -amount ELSE amount END) AS amount FROM effects"
        " WHERE provider = ? AND kind IN ('charge', 'refund', 'refund_failed') GROUP BY currency",
        (NAME,),
    ).fetchall()
    available = [{"amount": row["amount"], "currency": row["currency"], "source_types": {"card": row["amount"]}} for row in taken]
    nothing = {"amount": 0, "currency": "usd", "source_types": {"card": 0}}
    return Answer(200, {"object": "balance", "available": available or [nothing], "livemode": False, "pending": [nothing]})


def _one(call: Call, kind: str) -> Answer:
    item = call.store.get(NAME, kind, call.parts["id"])
    if item is None:
        raise missing(kind, call.parts["id"], param="id")
    return shown(call, item)


class Stripe(Provider):
    """Stripe's API below ``/stripe``."""

    name = NAME
    prefix = "/stripe"
    latency_ms = 100
    remembers_keys = True
    operations = (
        *stripe_payments.OPERATIONS,
        *stripe_refunds.OPERATIONS,
        *stripe_disputes.OPERATIONS,
        Operation("list charges", "GET", "/v1/charges", _list_charges),
        Operation("read charge", "GET", "/v1/charges/{id}", _read_charge),
        Operation("create customer", "POST", "/v1/customers", _create_customer),
        Operation("list customers", "GET", "/v1/customers", _list_customers),
        Operation("read customer", "GET", "/v1/customers/{id}", _read_customer),
        Operation("list events", "GET", "/v1/events", _list_events),
        Operation("read event", "GET", "/v1/events/{id}", _read_event),
        Operation("read balance", "GET", "/v1/balance", _balance),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the parameters of a form body, or of the query for a GET."""
        if request.method == "GET":
            return parse_form(request.url.query)
        try:
            return parse_form(body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise invalid("Invalid request: the body is not UTF-8.") from error

    def credential(self, request: Request) -> str | None:
        """Return a Bearer key, or the user name of Basic authentication."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[0] or None
            except (binascii.Error, UnicodeDecodeError):
                return None
        return value.strip() or None if scheme.lower() == "bearer" else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let test keys in that were not revoked."""
        if credential is None:
            return _unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. "
                "'Authorization: Bearer YOUR_SECRET_KEY')."
            )
        shown_key = f"{credential[:8]}{'*' * 12}{credential[-4:]}"
        if not credential.startswith(_TEST_KEYS):
            return _unauthorized(f"Invalid API Key provided: {shown_key}")
        return _unauthorized(f"Expired API Key provided: {shown_key}", code="api_key_expired") if revoked else None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        return invalid(f"Unrecognized request URL ({method}: {path}).", status=404).answer

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that Stripe gives with ``status``."""
        match status:
            case 429:
                error = {"message": "Request rate limit exceeded.", "type": "invalid_request_error", "code": "rate_limit"}
            case 401:
                error = {"message": "Invalid API Key provided.", "type": "invalid_request_error"}
            case _ if status < 500:  # noqa: PLR2004 - the client errors of HTTP
                error = {"message": "The request was not accepted.", "type": "invalid_request_error"}
            case _:
                error = {"message": "An unknown error occurred.", "type": "api_error"}
        return {"error": error}

    def headers(self, request_id: str, key: str | None) -> dict[str, str]:
        """Return Stripe's request id and version, and the key that was used."""
        return {"Request-Id": request_id, "Stripe-Version": API_VERSION} | ({"Idempotency-Key": key} if key else {})

    def subject(self, call: Call) -> str | None:
        """Look into the metadata of the request, then of the object that it is about."""
        metadata = call.values.get("metadata")
        if isinstance(metadata, dict) and (found := subject_of(metadata)):
            return found
        for identity in (call.parts.get("id"), call.values.get("payment_intent"), call.values.get("charge")):
            if isinstance(identity, str) and (kind := _KINDS.get(identity.split("_")[0])):
                return subject_of((call.store.get(NAME, kind, identity) or {}).get("metadata"))
        return None

    def settle(self, world: World, what: str, identity: str) -> None:
        """End a bank debit or a refund that took its time, or let the cardholder dispute a charge."""
        if what == "payment" and (intent := world.store.get(NAME, "payment_intent", identity)):
            stripe_attempts.settled(world, intent)
        elif what == "refund" and (refund := world.store.get(NAME, "refund", identity)):
            stripe_refunds.settled(world, refund)
        elif what == "dispute" and (charge := world.store.get(NAME, "charge", identity)):
            stripe_disputes.opened(world, charge)


def _unauthorized(message: str, code: str | None = None) -> Answer:
    return invalid(message, code=code, status=401).answer
