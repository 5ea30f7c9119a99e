"""Shippo's objects as they go over the wire, with every field that its SDK cannot do without, and what parcels cost."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

NAME = "shippo"
OWNER = "rehearsal@example.com"
ACCOUNTS = {
    "USPS": "5a1f00000000000000000000000000a1",
    "UPS": "5a1f00000000000000000000000000a2",
    "FedEx": "5a1f00000000000000000000000000a3",
}
# Carrier, service, token, days, cents per parcel, cents per kilogram.
_SERVICES = (
    ("USPS", "Priority Mail", "usps_priority", 2, 745, 210),
    ("UPS", "Ground", "ups_ground", 4, 890, 180),
    ("FedEx", "2Day", "fedex_2_day", 2, 1875, 420),
)
# UPS makes the cheapest offer to here, and then sells no label: it does not know the account.
UNREGISTERED_ZIP, UNREGISTERED_CARRIER, _LURE_CENTS = "00001", "UPS", 100
_GRAMS = {"g": 1.0, "kg": 1000.0, "lb": 453.59237, "oz": 28.349523125}
_ABROAD = 3
_PREFIXES = {"USPS": "92055901755477", "UPS": "1Z9999W99", "FedEx": "79462816"}


def stamped(**fields: Any) -> dict[str, Any]:
    """Return an object with an id, its times and its owner, as Shippo stamps all of them."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"object_id": secrets.token_hex(16), "object_created": now, "object_updated": now, "object_owner": OWNER, "test": True, **fields}


def new_address(given: dict[str, Any]) -> dict[str, Any]:
    """Return an address as Shippo keeps it."""
    names = (
        "name",
        "company",
        "street1",
        "street2",
        "street3",
        "street_no",
        "city",
        "state",
        "zip",
        "country",
        "phone",
        "email",
        "metadata",
    )
    plain = {name: str(given.get(name) or "") for name in names}
    return stamped(**plain, is_complete=True, is_residential=bool(given.get("is_residential")), validation_results=None)


def new_parcel(given: dict[str, Any]) -> dict[str, Any]:
    """Return a parcel as Shippo keeps it; sizes are texts."""
    sizes = {name: str(given[name]) for name in ("length", "width", "height", "distance_unit", "weight", "mass_unit")}
    return stamped(
        **sizes,
        template=given.get("template"),
        extra=given.get("extra") or {},
        metadata=str(given.get("metadata") or ""),
        object_state="VALID",
    )


def rates_for(shipment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the three carriers ask for a shipment, the same for the same parcels and countries."""
    kilograms = sum(float(parcel["weight"]) * _GRAMS[parcel["mass_unit"]] for parcel in shipment["parcels"]) / 1000
    abroad = _ABROAD if shipment["address_from"]["country"] != shipment["address_to"]["country"] else 1
    rates = []
    for carrier, service, token, days, base, per_kilogram in _SERVICES:
        lures = (carrier, shipment["address_to"]["zip"]) == (UNREGISTERED_CARRIER, UNREGISTERED_ZIP)
        cents = ((_LURE_CENTS if lures else base) * len(shipment["parcels"]) + round(per_kilogram * kilograms)) * abroad
        amount = f"{cents // 100}.{cents % 100:02d}"
        rates.append(
            stamped(
                amount=amount,
                amount_local=amount,
                arrives_by=None,
                attributes=[],
                carrier_account=ACCOUNTS[carrier],
                currency="USD",
                currency_local="USD",
                duration_terms=f"Delivery in {days} days",
                estimated_days=days,
                included_insurance_price=None,
                messages=[],
                provider=carrier,
                provider_image_75="",
                provider_image_200="",
                servicelevel={"name": service, "token": token, "terms": "", "extended_token": token, "parent_servicelevel": None},
                shipment=shipment["object_id"],
                zone="1",
            )
        )
    cheapest = min(rates, key=lambda rate: float(rate["amount"]))
    fastest = min(rates, key=lambda rate: (rate["estimated_days"], -float(rate["amount"])))
    cheapest["attributes"] = [*cheapest["attributes"], "CHEAPEST"]
    fastest["attributes"] = [*fastest["attributes"], "FASTEST"]
    return rates


def new_transaction(rate: dict[str, Any], *, metadata: str, label_file_type: str | None) -> dict[str, Any]:
    """
    Return a transaction that has not been worked on.

    ``created_by`` has to be there even as null: the SDK cannot decode a transaction without it.
    """
    return stamped(
        status="QUEUED",
        object_state="VALID",
        rate=rate["object_id"],
        metadata=metadata,
        label_file_type=label_file_type or "PDF",
        messages=[],
        created_by=None,
        parcel=None,
        order=None,
        billing={"payments": []},
        tracking_number="",
        tracking_status="UNKNOWN",
        tracking_url_provider="",
        label_url="",
        eta=None,
        commercial_invoice_url=None,
        qr_code_url=None,
    )


def print_label(transaction: dict[str, Any], rate: dict[str, Any], base_url: str) -> None:
    """Fill in what a bought label has."""
    carrier = rate["provider"]
    digits = f"{secrets.randbelow(10**8):08d}"
    number = f"{_PREFIXES[carrier]}{digits}"
    transaction.update(
        status="SUCCESS",
        tracking_number=number,
        tracking_status="PRE_TRANSIT",
        tracking_url_provider=f"{base_url}/tracks/{carrier.lower()}/{number}",
        label_url=f"{base_url}/labels/{transaction['object_id']}.pdf",
    )


def new_track(carrier: str, number: str, status: str, metadata: str) -> dict[str, Any]:
    """Return where a parcel is."""
    update = stamped(
        status=status, status_details=f"The parcel is in state {status}.", status_date=datetime.now(UTC).isoformat(), location=None
    )
    return {
        "carrier": carrier,
        "tracking_number": number,
        "tracking_status": update,
        "tracking_history": [update],
        "address_from": None,
        "address_to": None,
        "eta": None,
        "original_eta": None,
        "servicelevel": {"token": None, "name": None},
        "metadata": metadata,
        "messages": [],
        "transaction": None,
        "test": True,
    }
