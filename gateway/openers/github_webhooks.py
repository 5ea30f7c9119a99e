"""GitHub signs the body; every delivery has an id that stays the same when somebody has it delivered again."""

from __future__ import annotations

from gateway.openers.delivery import Delivery, NotGenuine, hmac_sha256, must_match
from gateway.openers.identities import kind_of, object_in, plain_id
from hub.notices import Notice

PROVIDER = "github"
SCHEME = "sha256="


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from GitHub. No window: nothing is dated, and GitHub repeats a delivery, under its old id, whenever somebody asks it to.

    Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    signature = delivery.header("X-Hub-Signature-256")
    for needed in ("X-GitHub-Event", "X-GitHub-Delivery"):
        delivery.header(needed)
    if not signature.startswith(SCHEME):
        raise NotGenuine("another scheme")
    must_match(hmac_sha256(secret.encode(), delivery.body).hex(), [signature.removeprefix(SCHEME)])


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event."""
    object_in(delivery.body)
    kind, guid = kind_of(delivery.header("X-GitHub-Event")), plain_id(delivery.header("X-GitHub-Delivery"))
    return [Notice(provider=PROVIDER, event_id=guid, kind=kind, content=delivery.body)]
