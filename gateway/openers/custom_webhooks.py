"""Any system of the company's own, by the Standard Webhooks scheme: ``id.timestamp.body`` is signed, several signatures may be given."""

from __future__ import annotations

import base64

from gateway.openers.delivery import Delivery, NotGenuine, hmac_sha256, must_match, unix_seconds
from gateway.openers.identities import kind_of, object_in, plain_id
from hub.notices import Notice

PROVIDER = "custom"
SECRET_PREFIX, SCHEME = "whsec_", "v1"


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from whoever shares ``secret`` (``whsec_`` and base64) with us, signed at most 300 s ago or ahead: senders sign repetitions anew.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    if not key:
        raise NotGenuine("the secret is empty")
    guid, date = delivery.header("webhook-id"), unix_seconds(delivery.header("webhook-timestamp"))
    schemes = [one.partition(",") for one in delivery.header("webhook-signature").split(" ")]
    expected = base64.b64encode(hmac_sha256(key, f"{guid}.{date}.".encode(), delivery.body)).decode()
    must_match(expected, [signature for scheme, _, signature in schemes if scheme == SCHEME])
    delivery.must_be_recent(date)


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event."""
    event = object_in(delivery.body)
    return [
        Notice(provider=PROVIDER, event_id=plain_id(delivery.header("webhook-id")), kind=kind_of(event.get("type")), content=delivery.body)
    ]
