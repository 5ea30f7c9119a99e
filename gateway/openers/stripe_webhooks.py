"""Stripe signs ``t.body``; the event has a stable id."""

from __future__ import annotations

from stripe import WebhookSignature

from gateway.openers.delivery import Delivery, NotGenuine, dated_signatures
from gateway.openers.identities import kind_of, object_in, plain_id
from hub.notices import Notice

PROVIDER = "stripe"


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from Stripe, and signed within the last 300 s: Stripe signs every repetition anew. The SDK accepts dates of the future; we do not.

    Source: https://docs.stripe.com/webhooks/signatures
    """
    header = delivery.header("Stripe-Signature")
    date, _ = dated_signatures(header)
    if not WebhookSignature.verify_header(delivery.body, header, secret, tolerance=None):
        raise NotGenuine("the signature is another one")
    delivery.must_be_recent(date)


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event. Two events may tell of one fact (a charge and its PaymentIntent): that is for the facts to know."""
    event = object_in(delivery.body)
    return [Notice(provider=PROVIDER, event_id=plain_id(event.get("id")), kind=kind_of(event.get("type")), content=delivery.body)]
