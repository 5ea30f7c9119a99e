"""What we ask of Shippo, as it wants it written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.parcels import Address, ParcelSize, PickupRequest, QuoteRequest


def shipment_of(request: QuoteRequest) -> dict[str, Any]:
    """Return the shipment whose rates are asked for."""
    return {
        "address_from": _address(request.sender),
        "address_to": _address(request.recipient),
        "parcels": [_parcel(request.parcel)],
        "metadata": request.reference,
        "async": False,
    }


def pickup_of(request: PickupRequest, *, is_test: bool) -> dict[str, Any]:
    """Return the pick-up that is asked for; times in UTC."""
    return {
        "carrier_account": request.carrier_account,
        "location": {"building_location_type": "Shipping Dock", "address": _address(request.place)},
        "transactions": [request.label_id],
        "requested_start_time": request.earliest.isoformat(),
        "requested_end_time": request.latest.isoformat(),
        "metadata": request.reference,
        "is_test": is_test,
    }


def _address(address: Address) -> dict[str, str]:
    ours = {"name": address.name, "street1": address.street, "city": address.city, "state": address.state, "zip": address.zip}
    optional = {"email": address.email, "phone": address.phone}
    return {**ours, "country": address.country, **{name: value for name, value in optional.items() if value is not None}}


def _parcel(size: ParcelSize) -> dict[str, str]:
    return {
        "length": str(size.length_cm),
        "width": str(size.width_cm),
        "height": str(size.height_cm),
        "distance_unit": "cm",
        "weight": str(size.weight_g),
        "mass_unit": "g",
    }
