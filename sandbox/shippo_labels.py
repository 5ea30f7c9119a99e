"""
Shippo's labels: bought, listed by rate, voided, tracked. There are no idempotency keys: asked twice, it buys twice.

Source: https://docs.goshippo.com/shippoapi/public-api/transactions
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.calls import Answer, Call, Operation, World
from sandbox.shippo_objects import NAME, UNREGISTERED_CARRIER, UNREGISTERED_ZIP, new_track, new_transaction, print_label, stamped
from sandbox.shippo_shared import asynchronous, invalid, kept, page, public, reference, require
from sandbox.shippo_tracks import sent_off, tell_transaction, track_of

# A recipient here gets rates but no label; the codes are ones that Shippo passes on from USPS and UPS.
NO_LABEL_ZIP = "00000"
ADDRESS_REFUSED, UNREGISTERED = "failed_address_validation", "ups_registration_error"
_RATES_LAST = timedelta(days=7)
_UNUSED = ("UNKNOWN", "PRE_TRANSIT")
_TEST_TRACKS = {f"SHIPPO_{status}": status for status in ("UNKNOWN", "PRE_TRANSIT", "TRANSIT", "DELIVERED", "RETURNED", "FAILURE")}


def _buy(call: Call) -> Answer:
    require(call.values, ("rate",))
    rate = call.store.get(NAME, "rate", str(call.values["rate"]))
    if rate is None:
        raise invalid({"rate": [f"Rate with supplied object_id {call.values['rate']} not found."]})
    if datetime.now(UTC) - datetime.fromisoformat(rate["object_created"]) > _RATES_LAST:
        raise invalid({"rate": ["Rate is older than 7 days and can no longer be purchased."]})
    transaction = new_transaction(rate, metadata=reference(call.values), label_file_type=call.values.get("label_file_type"))
    transaction["label_url"] = call.base_url  # where the label will be, once it is printed
    if asynchronous(call.values):
        answer = {**transaction, "label_url": ""}
        call.world.later(NAME, "label", transaction["object_id"])
    else:
        _print(call.world, transaction, rate)
        answer = transaction
    call.store.put(NAME, "transaction", transaction["object_id"], transaction, parent=rate["object_id"])
    tell_transaction(call.world, "transaction_created", answer)
    return Answer(201, answer)


def _list_labels(call: Call) -> Answer:
    status, tracking = call.values.get("object_status"), call.values.get("tracking_status")
    found = [
        public(item)
        for item in call.store.newest_first(NAME, "transaction", parent=call.values.get("rate"))
        if status in {None, item["status"]} and tracking in {None, item["tracking_status"]}
    ]
    return page(call, "/transactions", found)


def _void(call: Call) -> Answer:
    require(call.values, ("transaction",))
    transaction = call.store.get(NAME, "transaction", str(call.values["transaction"]))
    if transaction is None or transaction["status"] != "SUCCESS":
        raise invalid({"transaction": ["Transaction is not found or cannot be refunded."]})
    rate = call.store.get(NAME, "rate", transaction["rate"]) or {}
    transaction["status"] = "REFUNDPENDING"
    call.store.put(NAME, "transaction", transaction["object_id"], transaction)
    tell_transaction(call.world, "transaction_updated", transaction)
    status = "QUEUED" if asynchronous(call.values) else "PENDING"
    refund = kept(call, "refund", stamped(status=status, transaction=transaction["object_id"]))
    call.world.effects.record("shippo.refund", refund["object_id"], transaction["metadata"], money=_price(rate))
    call.world.later(NAME, "refund", refund["object_id"])
    return Answer(201, refund)


def _track(call: Call) -> Answer:
    values = {**call.values, **call.parts}
    require(values, ("carrier", "tracking_number"))
    carrier, number = str(values["carrier"]), str(values["tracking_number"])
    status = _TEST_TRACKS.get(number) if carrier == "shippo" else None
    track = track_of(call.world, number) if status is None else None
    track = track or new_track(carrier, number, status or "UNKNOWN", str(values.get("metadata") or ""))
    return Answer(201 if call.method == "POST" else 200, track)


def _print(world: World, transaction: dict[str, Any], rate: dict[str, Any]) -> None:
    """Buy the label from the carrier, or have it refused."""
    base_url = transaction["label_url"]
    shipment = world.store.get(NAME, "shipment", rate["shipment"]) or {}
    if (refusal := _refusal(shipment["address_to"]["zip"], rate["provider"])) is not None:
        transaction |= {"status": "ERROR", "label_url": "", "messages": [{"source": rate["provider"], **refusal}]}
        return
    print_label(transaction, rate, base_url)
    sent_off(world, transaction, rate["provider"].lower())
    world.effects.record("shippo.label", transaction["object_id"], transaction["metadata"] or shipment["metadata"], money=_price(rate))


def _refusal(to_zip: str, carrier: str) -> dict[str, str] | None:
    """Return the carrier's code and words when it sells no label to there."""
    if to_zip == NO_LABEL_ZIP:
        return {"code": ADDRESS_REFUSED, "text": "Recipient address invalid: The address as submitted could not be found."}
    if (to_zip, carrier) == (UNREGISTERED_ZIP, UNREGISTERED_CARRIER):
        return {"code": UNREGISTERED, "text": "The UPS account is not yet registered."}
    return None


def _price(rate: dict[str, Any]) -> tuple[int, str]:
    return int(Decimal(rate["amount"]) * 100), rate["currency"].lower()


def settled(world: World, what: str, identity: str) -> None:
    """Print a label that was ordered without waiting, or decide about one that is to go back: never if it was used."""
    if what == "label":
        transaction = world.store.get(NAME, "transaction", identity) or {}
        _print(world, transaction, world.store.get(NAME, "rate", transaction["rate"]) or {})
        world.store.put(NAME, "transaction", identity, transaction)
        tell_transaction(world, "transaction_updated", transaction)
        return
    refund = world.store.get(NAME, "refund", identity) or {}
    transaction = world.store.get(NAME, "transaction", refund["transaction"]) or {}
    unused = transaction["tracking_status"] in _UNUSED
    world.store.put(NAME, "refund", identity, refund | {"status": "SUCCESS" if unused else "ERROR"})
    transaction |= {"status": "REFUNDED" if unused else "REFUNDREJECTED"}
    world.store.put(NAME, "transaction", transaction["object_id"], transaction)
    tell_transaction(world, "transaction_updated", transaction)


OPERATIONS = (
    Operation("buy label", "POST", "/transactions", _buy),
    Operation("list labels", "GET", "/transactions", _list_labels),
    Operation("void label", "POST", "/refunds", _void),
    Operation("track parcel", "POST", "/tracks", _track),
    Operation("read track", "GET", "/tracks/{carrier}/{tracking_number}", _track),
)
