"""Any system of the company's own, by the Standard Webhooks scheme: ``id.timestamp.body`` is signed, several signatures may be given."""

from __future__ import annotations

from gateway.openers.delivery import Delivery, must_match, unix_seconds
from gateway.openers.identities import kind_of, object_in, plain_id
from hub.notices import Notice
from hub.standard_webhooks import ID, SCHEME, SIGNATURE, TIMESTAMP, key_in, signature

PROVIDER = "custom"


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from whoever shares ``secret`` (``whsec_`` and base64) with us, signed at most 300 s ago or ahead: senders sign repetitions anew.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    guid, date = delivery.header(ID), unix_seconds(delivery.header(TIMESTAMP))
    schemes = [one.partition(",") for one in delivery.header(SIGNATURE).split(" ")]
    must_match(signature(key_in(secret), guid, date, delivery.body), [given for scheme, _, given in schemes if scheme == SCHEME])
    delivery.must_be_recent(date)


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event."""
    event = object_in(delivery.body)
    return [Notice(provider=PROVIDER, event_id=plain_id(delivery.header(ID)), kind=kind_of(event.get("type")), content=delivery.body)]
