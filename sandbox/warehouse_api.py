"""
A company's warehouse, rehearsed: it takes signed messages by the Standard Webhooks scheme, each id once, and tells what became of one.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from starlette.requests import Request

from sandbox import warehouse_tickets
from sandbox.callback_secrets import CallbackSecrets
from sandbox.calls import Answer, Call, Operation, Provider, Rejected
from sandbox.effects import subject_of
from sandbox.warehouse_tickets import NAME

_WINDOW_SECONDS = 300
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_UNKNOWN_PRODUCT = "unheard-of"
_CODES = {401: "not_genuine", 404: "not_found", 429: "too_many_requests", 503: "unavailable"}


def _problem(status: int, code: str, message: str) -> Rejected:
    return Rejected(Answer(status, {"error": {"code": code, "message": message}}))


def _take(call: Call) -> Answer:
    identity, data = _message(call, "pick_ticket.created", ("orderId", "lines", "trackingNumber"))
    if call.store.get(NAME, "pick_ticket", identity) is None:
        if any(line.get("productId") == _UNKNOWN_PRODUCT for line in data["lines"]):
            raise _problem(422, "unknown_product", "The warehouse does not have this product.")
        ticket = {"webhookId": identity, "status": "open", **data}
        warehouse_tickets.keep(call.world, identity, data["orderId"], ticket)
        call.world.effects.record(f"{NAME}.pick_ticket", identity, identity)
    return Answer(202, {"webhookId": identity})


def _cancel(call: Call) -> Answer:
    identity, data = _message(call, "pick_ticket.cancelled", ("orderId", "webhookId"))
    ticket = call.store.get(NAME, "pick_ticket", str(data["webhookId"]))
    if ticket is None:
        raise _problem(404, "not_found", "There is no such ticket.")
    if ticket["status"] == "handed_over":
        raise _problem(409, "handed_over", "The carrier has the parcel.")
    if ticket["status"] != "cancelled":
        warehouse_tickets.keep(call.world, ticket["webhookId"], ticket["orderId"], ticket | {"status": "cancelled"})
        call.world.effects.record(f"{NAME}.pick_ticket_cancelled", ticket["webhookId"], identity)
    return Answer(202, {"webhookId": identity})


def _find(call: Call) -> Answer:
    _must_be_genuine(call)
    ticket = call.store.get(NAME, "pick_ticket", str(call.values.get("webhookId")))
    return Answer(200, {"pickTickets": [] if ticket is None else [{"webhookId": ticket["webhookId"], "status": ticket["status"]}]})


def _message(call: Call, kind: str, needed: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the id and the data of a genuine message."""
    _must_be_genuine(call)
    try:
        event = json.loads(call.values["body"])
        data = event["data"]
        wrong = event["type"] != kind or not isinstance(event["timestamp"], str) or any(not data.get(name) for name in needed)
    except (ValueError, LookupError, TypeError, AttributeError):
        wrong, data = True, {}
    if wrong:
        raise _problem(400, "invalid_message", f"This address takes {kind} with {', '.join(needed)}.")
    return str(call.values["webhook-id"]), data


def _must_be_genuine(call: Call) -> None:
    """Pass when the message is signed with the secret that stands in the file of secrets, at most five minutes ago or ahead."""
    identity, stamp, signatures = (str(call.values[name]) for name in _HEADERS)
    secret = CallbackSecrets(call.world.callbacks.calling.secrets_file).of(NAME)
    if secret and identity and stamp.isdecimal() and abs(time.time() - int(stamp)) <= _WINDOW_SECONDS:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        signed = f"{identity}.{stamp}.{call.values['body']}".encode()
        right = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        if any(hmac.compare_digest(right, one) for one in signatures.split(" ")):
            return
    raise _problem(401, "not_genuine", "The signature does not fit.")


class Warehouse(Provider):
    """The warehouse below ``/warehouse``. It knows no product called ``unheard-of``."""

    name = NAME
    prefix = "/warehouse"
    latency_ms = 20
    operations = (
        Operation("take pick ticket", "POST", "/pick-tickets", _take),
        Operation("cancel pick ticket", "POST", "/pick-tickets/cancellations", _cancel),
        Operation("find pick ticket", "GET", "/pick-tickets", _find),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the query, the headers that sign, and the body as it came."""
        signing = {name: request.headers.get(name, "") for name in _HEADERS}
        return {**request.query_params, **signing, "body": body.decode("utf-8", "replace")}

    def credential(self, request: Request) -> str | None:
        """Return nothing: each message proves by itself where it comes from."""
        del request
        return None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let everybody in whose message is genuine, which each operation looks at."""
        del credential, revoked
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method, path
        return Answer(404, self.failure(404))

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that the warehouse gives with ``status``."""
        return {"error": {"code": _CODES.get(status, "internal_error"), "message": "The message was not taken."}}

    def subject(self, call: Call) -> str | None:
        """Look into the message's id, or into that which is asked for."""
        return subject_of(str(call.values.get("webhookId") or call.values["webhook-id"]))
