"""Shippo signs ``t.body`` where its staff has switched that on; otherwise a token in the URL is all there is."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from gateway.openers.delivery import Delivery, NotGenuine, dated_signatures, hmac_sha256, must_match
from gateway.openers.identities import Unreadable, as_object, kind_of, made_from, object_in
from hub.notices import Notice
from hub.settings import settings

PROVIDER = "shippo"


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from Shippo.

    No window: Shippo nowhere says whether a repetition is dated anew, and it gives a delivery up for good after a 401. What protects is
    that an event is kept once, for good. The header's name is a setting because Shippo's own sources disagree about it.

    Source: https://docs.goshippo.com/tracking/webhook-security
    """
    date, signatures = dated_signatures(delivery.header(settings().shippo_signature_header))
    must_match(hmac_sha256(secret.encode(), date.encode(), b".", delivery.body).hex(), signatures)


def verify_token(delivery: Delivery, secret: str) -> None:
    """
    Whoever sent it knows the URL with our token. Weaker than a signature: it stands in logs, and the body can be anything.

    Source: https://docs.goshippo.com/tracking/webhook-security
    """
    tokens = parse_qs(delivery.query, max_num_fields=20).get("token", [])
    if len(tokens) != 1:
        raise NotGenuine("the URL needs one token")
    must_match(secret, tokens)


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event; Shippo gives no id, so it is made from what the event means."""
    event = object_in(delivery.body)
    kind = kind_of(event.get("event"))
    data = as_object(event.get("data"))
    meaning = _tracked(data) if "tracking_status" in data and "carrier" in data else _changed(data)
    return [Notice(provider=PROVIDER, event_id=made_from(PROVIDER, kind, *meaning), kind=kind, content=delivery.body)]


def _tracked(track: dict[str, Any]) -> tuple[Any, ...]:
    """Where a parcel is."""
    if not track.get("tracking_number"):
        raise Unreadable("no telling which parcel it is about")
    status = track.get("tracking_status") or {}
    named = [status.get(name) for name in ("status", "status_date", "substatus")] if isinstance(status, dict) else [status]
    return (track["carrier"], track["tracking_number"], *named)


def _changed(thing: dict[str, Any]) -> tuple[Any, ...]:
    """How far a label or a batch is."""
    if not thing.get("object_id"):
        raise Unreadable("no telling what it is about")
    return tuple(thing.get(name) for name in ("object_id", "status", "tracking_number", "tracking_status", "object_updated"))
