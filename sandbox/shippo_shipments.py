"""
Shippo's addresses, shipments and rates.

Source: https://docs.goshippo.com/shippoapi/public-api/shipments
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.calls import Answer, Call, Operation
from sandbox.shippo_objects import ACCOUNTS, NAME, new_address, new_parcel, rates_for, stamped
from sandbox.shippo_shared import Fields, asynchronous, invalid, kept, one, page, reference, require

# Parcels from or to here get no rates.
NO_RATES_ZIP = "99999"
_REQUIRED: dict[str, Fields] = {
    "address": ("name", "street1", "city", "state", "zip", "country"),
    "parcel": ("length", "width", "height", "distance_unit", "weight", "mass_unit"),
}


def _create_address(call: Call) -> Answer:
    require(call.values, _REQUIRED["address"])
    return Answer(201, kept(call, "address", new_address(call.values)))


def _create_shipment(call: Call) -> Answer:
    values = call.values
    require(values, ("address_from", "address_to", "parcels"))
    shipment = stamped(
        address_from=_part(call, "address_from", values["address_from"], "address"),
        address_to=_part(call, "address_to", values["address_to"], "address"),
        parcels=[_part(call, "parcels", parcel, "parcel") for parcel in _list_of(values["parcels"])],
        metadata=reference(values),
        carrier_accounts=values.get("carrier_accounts") or [],
        customs_declaration=values.get("customs_declaration"),
        extra=values.get("extra") or {},
        messages=[],
        status="SUCCESS",
        order=None,
        rates=[],
        shipment_date=datetime.now(UTC).isoformat(),
    )
    shipment |= {"address_return": shipment["address_from"], "alternate_address_to": None}
    if NO_RATES_ZIP in {shipment["address_to"]["zip"], shipment["address_from"]["zip"]}:
        text = "The postal code is outside of the area that this carrier serves."
        shipment["messages"] = [{"source": carrier, "code": "postal_code_not_served", "text": text} for carrier in ACCOUNTS]
    else:
        shipment["rates"] = rates_for(shipment)
    for rate in shipment["rates"]:
        call.store.put(NAME, "rate", rate["object_id"], rate, parent=shipment["object_id"])
    kept(call, "shipment", shipment)
    return Answer(201, {**shipment, "rates": [], "status": "QUEUED"} if asynchronous(values) else shipment)


def _read_rates(call: Call) -> Answer:
    shipment = one(call, "shipment", call.parts["id"])
    return Answer(200, {"next": None, "previous": None, "results": shipment["rates"]})


def _list_shipments(call: Call) -> Answer:
    return page(call, "/shipments", list(call.store.newest_first(NAME, "shipment")))


def _part(call: Call, field: str, given: Any, kind: str) -> dict[str, Any]:
    if isinstance(given, str):
        found = call.store.get(NAME, kind, given)
        if found is None:
            raise invalid({field: [f"{kind.capitalize()} with supplied object_id {given} not found."]})
        return found
    if not isinstance(given, dict):
        raise invalid({field: ["Invalid data."]})
    require(given, _REQUIRED[kind], field)
    if kind == "address":
        return kept(call, kind, new_address(given))
    try:
        if not all(float(given[name]) > 0 for name in ("length", "width", "height", "weight")):
            raise ValueError  # noqa: TRY301 - the same answer as for what is no number
    except (TypeError, ValueError) as error:
        raise invalid({field: [{"__all__": ["Sizes and weight must be positive numbers."]}]}) from error
    if given["mass_unit"] not in {"g", "kg", "lb", "oz"}:
        raise invalid({field: [{"mass_unit": [f'"{given["mass_unit"]}" is not a valid choice.']}]})
    return kept(call, kind, new_parcel(given))


def _list_of(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


OPERATIONS = (
    Operation("create address", "POST", "/addresses", _create_address),
    Operation("create shipment", "POST", "/shipments", _create_shipment),
    Operation("list shipments", "GET", "/shipments", _list_shipments),
    Operation("read rates", "GET", "/shipments/{id}/rates", _read_rates),
)
