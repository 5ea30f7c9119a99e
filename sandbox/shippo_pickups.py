"""
Shippo's pick-ups: a carrier comes for parcels whose labels were bought. They can be made, and neither listed, read nor called off.

Source: https://docs.goshippo.com/manifests-and-pickups/pickups
"""

from __future__ import annotations

import secrets

from sandbox.calls import Answer, Call, Operation
from sandbox.shippo_objects import ACCOUNTS, NAME, stamped
from sandbox.shippo_shared import invalid, kept, reference, require

COMES = ("USPS",)


def _schedule(call: Call) -> Answer:
    values = call.values
    require(values, ("carrier_account", "location", "transactions", "requested_start_time", "requested_end_time"))
    require(values["location"], ("building_location_type", "address"), "location")
    if values["carrier_account"] not in {ACCOUNTS[carrier] for carrier in COMES}:
        raise invalid({"carrier_account": ["Pickups are only supported for USPS and DHL Express."]})
    for label in values["transactions"]:
        if (call.store.get(NAME, "transaction", str(label)) or {}).get("status") != "SUCCESS":
            raise invalid({"transactions": [f"Transaction with object_id {label} not found or not eligible for pickup."]})
    asked = {name: values[name] for name in ("carrier_account", "location", "transactions", "requested_start_time", "requested_end_time")}
    confirmed = {"confirmed_start_time": asked["requested_start_time"], "confirmed_end_time": asked["requested_end_time"]}
    pickup = stamped(
        **asked,
        **confirmed,
        status="CONFIRMED",
        confirmation_code=f"WTC{secrets.randbelow(10**8):08d}",
        cancel_by_time=asked["requested_start_time"],
        timezone="US/Pacific",
        messages=[],
        metadata=reference(values),
        is_test=True,
    )
    call.world.effects.record("shippo.pickup", pickup["object_id"], pickup["metadata"])
    return Answer(201, kept(call, "pickup", pickup))


OPERATIONS = (Operation("schedule pickup", "POST", "/pickups", _schedule),)
