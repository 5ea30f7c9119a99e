"""What we ask of a carrier, and what it gives back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hub.values import Frozen


class Address(Frozen):
    """Where a parcel starts or goes. ``country`` is ISO 3166-1 alpha-2."""

    name: str
    street: str
    city: str
    state: str
    zip: str
    country: str = "US"
    email: str | None = None
    phone: str | None = None


class ParcelSize(Frozen):
    """Outer size in centimetres and weight in grams."""

    length_cm: int
    width_cm: int
    height_cm: int
    weight_g: int


class QuoteRequest(Frozen):
    """Ask what sending one parcel costs. ``reference`` comes back on the shipment."""

    sender: Address
    recipient: Address
    parcel: ParcelSize
    reference: str


class Rate(Frozen):
    """
    One carrier's offer; ``amount`` in minor units. Bought at most once (design: one rate, one wanted label).

    ``carrier_account`` is Shippo's name for our account at the carrier; quotes of an earlier version have none.
    """

    rate_id: str
    carrier: str
    carrier_account: str | None = None
    service: str
    amount: int
    currency: str


class Quote(Frozen):
    """A shipment and what sending it costs, cheapest first. Never empty: no offer at all is ``Refused``."""

    shipment_id: str
    rates: tuple[Rate, ...]

    @property
    def offers(self) -> tuple[Rate, ...]:
        """The cheapest rate of each carrier, cheapest first: a carrier that does not sell us one of its rates sells us none of them."""
        cheapest: dict[str, Rate] = {}
        for rate in self.rates:
            cheapest.setdefault(rate.carrier, rate)
        return tuple(cheapest.values())


class LabelRequest(Frozen):
    """Buy the label of ``rate_id``. ``reference`` comes back on the transaction."""

    rate_id: str
    reference: str


class Label(Frozen):
    """A bought label."""

    label_id: str
    tracking_number: str
    label_url: str | None = None
    tracking_url: str | None = None


class VoidRequest(Frozen):
    """Give the label back that was bought as ``label_id``."""

    label_id: str


class VoidStatus(StrEnum):
    """How far a label is that goes back. ``pending``: the carrier looks whether it was used, which takes up to two weeks."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"


class Void(Frozen):
    """A label that goes back. ``void_id`` is Shippo's name for that; the label's own says as much."""

    label_id: str
    status: VoidStatus
    void_id: str | None = None


class PickupRequest(Frozen):
    """Have the carrier come to ``place`` for the parcel with that label, between two moments. ``reference`` comes back on the pick-up."""

    carrier_account: str
    label_id: str
    place: Address
    earliest: datetime
    latest: datetime
    reference: str


class Pickup(Frozen):
    """A carrier that comes; ``confirmation`` is what it calls that, as soon as it has confirmed it."""

    pickup_id: str
    confirmation: str | None = None
