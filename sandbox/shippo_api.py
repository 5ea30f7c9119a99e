"""Shippo, rehearsed: tokens, errors, and the reading of single objects."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from sandbox import shippo_labels, shippo_pickups, shippo_shipments
from sandbox.calls import Answer, Call, Operation, Provider, Work, World
from sandbox.effects import subject_of
from sandbox.shippo_objects import ACCOUNTS, NAME
from sandbox.shippo_shared import invalid, one, public


def _carrier_accounts(call: Call) -> Answer:
    del call
    accounts = [
        {
            "object_id": identity,
            "carrier": carrier.lower(),
            "account_id": "rehearsal",
            "active": True,
            "is_shippo_account": True,
            "test": True,
        }
        for carrier, identity in ACCOUNTS.items()
    ]
    return Answer(200, {"next": None, "previous": None, "results": accounts})


def _reads(kind: str) -> Work:
    def read(call: Call) -> Answer:
        return Answer(200, public(one(call, kind, call.parts["id"])))

    return read


class Shippo(Provider):
    """Shippo's API below ``/shippo``."""

    name = NAME
    prefix = "/shippo"
    latency_ms = 150
    operations = (
        *shippo_shipments.OPERATIONS,
        *shippo_labels.OPERATIONS,
        *shippo_pickups.OPERATIONS,
        Operation("read address", "GET", "/addresses/{id}", _reads("address")),
        Operation("read shipment", "GET", "/shipments/{id}", _reads("shipment")),
        Operation("read rate", "GET", "/rates/{id}", _reads("rate")),
        Operation("read label", "GET", "/transactions/{id}", _reads("transaction")),
        Operation("read void", "GET", "/refunds/{id}", _reads("refund")),
        Operation("list carriers", "GET", "/carrier_accounts", _carrier_accounts),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the JSON body, or the query for a GET."""
        if request.method == "GET":
            return dict(request.query_params)
        try:
            values = json.loads(body)
        except ValueError as error:
            raise invalid({"detail": "JSON parse error"}) from error
        if not isinstance(values, dict):
            raise invalid({"non_field_errors": ["Invalid data. Expected a dictionary."]})
        return values

    def credential(self, request: Request) -> str | None:
        """Return the ShippoToken."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme == "ShippoToken" else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let test tokens in that were not revoked."""
        if credential is None:
            return Answer(401, {"detail": "Authentication credentials were not provided."})
        if not credential.startswith("shippo_test_") or revoked:
            return Answer(401, {"detail": "Token does not exist"})
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method, path
        return Answer(404, {"detail": "Not found."})

    def failure(self, status: int) -> dict[str, Any]:
        """Return the body that Shippo gives with ``status``."""
        return {"detail": {401: "Token does not exist", 429: "Request was throttled."}.get(status, "An error occurred.")}

    def subject(self, call: Call) -> str | None:
        """Look into the metadata of the request, then of the shipment that a rate or label belongs to."""
        if found := subject_of(str(call.values.get("metadata") or "")):
            return found
        rate_id = call.values.get("rate")
        for kind, identity in (
            ("transaction", call.values.get("transaction") or call.parts.get("id")),
            ("rate", rate_id or call.parts.get("id")),
        ):
            item = call.store.get(NAME, kind, str(identity)) or {}
            if found := subject_of(item.get("metadata")):
                return found
            rate_id = item.get("rate") or rate_id
        rate = call.store.get(NAME, "rate", str(rate_id)) or {}
        shipment = call.store.get(NAME, "shipment", str(rate.get("shipment") or call.parts.get("id"))) or {}
        return subject_of(shipment.get("metadata"))

    def settle(self, world: World, what: str, identity: str) -> None:
        """End what took its time."""
        shippo_labels.settled(world, what, identity)
