"""
Where parcels are, and how Shippo tells: about transactions when they are made or change, about tracks when a parcel moves.

Source: https://docs.goshippo.com/tracking/webhooks and https://docs.goshippo.com/api-reference/track
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Literal

from sandbox.callback_delivery import Callback
from sandbox.callback_signing import iso
from sandbox.calls import World
from sandbox.shippo_objects import NAME, new_track, stamped
from sandbox.shippo_shared import public

TrackStatus = Literal["UNKNOWN", "PRE_TRANSIT", "TRANSIT", "DELIVERED", "RETURNED", "FAILURE"]
_DETAILS = {
    "UNKNOWN": ("other", "The carrier has no information about the parcel."),
    "PRE_TRANSIT": ("information_received", "The carrier has been told about the parcel."),
    "TRANSIT": ("package_accepted", "The parcel is on its way."),
    "DELIVERED": ("delivered", "The parcel was delivered."),
    "RETURNED": ("return_to_sender", "The parcel goes back to its sender."),
    "FAILURE": ("delivery_attempted", "The parcel could not be delivered."),
}


def tell(world: World, kind: str, data: dict[str, Any]) -> None:
    """Tell about a transaction or a track; Shippo gives its events no id."""
    event = {"event": kind, "test": True, "data": data}
    world.callbacks.post(Callback(NAME, kind, secrets.token_hex(16), event))


def tell_transaction(world: World, kind: str, transaction: dict[str, Any]) -> None:
    """Tell that a transaction was created or updated, as its owner may see it."""
    tell(world, kind, public(transaction))


def sent_off(world: World, transaction: dict[str, Any], carrier: str) -> None:
    """Keep the parcel of a printed label, so that it can be followed by its number."""
    parcel = {"transaction": transaction["object_id"], "carrier": carrier, "tracking_history": []}
    world.store.put(NAME, "parcel", transaction["tracking_number"], parcel)


def track_of(world: World, number: str) -> dict[str, Any] | None:
    """Return where a parcel of ours is, or None when the number is not ours."""
    parcel = world.store.get(NAME, "parcel", number)
    if parcel is None:
        return None
    transaction = world.store.get(NAME, "transaction", parcel["transaction"]) or {}
    rate = world.store.get(NAME, "rate", transaction["rate"]) or {}
    shipment = world.store.get(NAME, "shipment", rate["shipment"]) or {}
    track = new_track(parcel["carrier"], number, transaction["tracking_status"], transaction["metadata"] or shipment["metadata"])
    if history := parcel["tracking_history"]:
        track |= {"tracking_status": history[-1], "tracking_history": history}
    service = rate["servicelevel"]
    return track | {
        "transaction": transaction["object_id"],
        "address_from": _place(shipment["address_from"]),
        "address_to": _place(shipment["address_to"]),
        "servicelevel": {"token": service["token"], "name": service["name"]},
    }


def moved(world: World, number: str, status: TrackStatus, *, details: str | None = None, at: str | None = None) -> dict[str, Any] | None:
    """
    Move a parcel and tell; returns its track, or None when the number is not ours.

    ``at`` is when the carrier saw it, ISO 8601, now by default. News that are older than what is known are told too, as they are in life,
    but do not change where the parcel is.
    """
    parcel = world.store.get(NAME, "parcel", number)
    if parcel is None:
        return None
    code, sentence = _DETAILS[status]
    seen = stamped(
        status=status,
        substatus={"code": code, "text": sentence, "action_required": False},
        status_details=details or sentence,
        status_date=at or iso(time.time()),
        location={"city": "San Francisco", "state": "CA", "zip": "94103", "country": "US"},
    )
    parcel["tracking_history"] = sorted([*parcel["tracking_history"], seen], key=lambda one: str(one["status_date"]))
    world.store.put(NAME, "parcel", number, parcel)
    transaction = world.store.get(NAME, "transaction", parcel["transaction"]) or {}
    transaction |= {"tracking_status": parcel["tracking_history"][-1]["status"], "object_updated": iso(time.time())}
    world.store.put(NAME, "transaction", transaction["object_id"], transaction)
    world.effects.record(f"shippo.parcel_{status.lower()}", number, transaction["metadata"] or _metadata(world, transaction))
    track = track_of(world, number) or {}
    tell(world, "track_updated", track | {"tracking_status": seen})
    return track


def _metadata(world: World, transaction: dict[str, Any]) -> str:
    rate = world.store.get(NAME, "rate", transaction["rate"]) or {}
    shipment = world.store.get(NAME, "shipment", rate["shipment"]) or {}
    return str(shipment["metadata"])


def _place(address: dict[str, Any]) -> dict[str, Any]:
    return {name: address[name] for name in ("city", "state", "zip", "country")}
