"""Twilio signs the public URL and the form's fields; what it tells has no id."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qs, parse_qsl, urlsplit

from gateway.openers.delivery import Delivery, must_match
from gateway.openers.identities import compact, kind_of, made_from, plain_id
from hub.notices import Notice
from hub.settings import settings

PROVIDER = "twilio"
FIELDS_AT_MOST = 200


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from Twilio; ``secret`` is the account's auth token.

    Signed is the URL that Twilio called, which we know from configuration and not from ``Host``, then every field's name and value in the
    order of the names: the order on the wire does not count. Twilio is not of one mind about naming the port, so both count. No window: the
    signature has no date.

    Source: https://www.twilio.com/docs/usage/security#validating-requests
    """
    given = delivery.header("X-Twilio-Signature")
    fields = sorted({(name, value) for name, value in _form(delivery)})
    signed = "".join(name + value for name, value in fields)
    urls = [f"{base}{delivery.path}{'?' * bool(delivery.query)}{delivery.query}" for base in _bases(settings().webhooks_base_url)]
    valid = [base64.b64encode(hmac.digest(secret.encode(), (url + signed).encode(), "sha1")).decode() for url in urls]
    must_match(given, valid)


def notices(delivery: Delivery) -> list[Notice]:
    """Return the message's new status; the content is the form as JSON, with the ``effect`` that our callback URL carried."""
    told = dict(_form(delivery)) | {name: values[0] for name, values in parse_qs(delivery.query).items() if name == "effect"}
    sid, status = plain_id(told.get("MessageSid")), kind_of(told.get("MessageStatus"))
    identity = made_from(PROVIDER, sid, status, told.get("ErrorCode"))
    return [Notice(provider=PROVIDER, event_id=identity, kind=status, content=compact(told))]


def _form(delivery: Delivery) -> list[tuple[str, str]]:
    """Strictly parsed: nothing separates names from values in what is signed, so a field without its ``=`` would sign the same."""
    form = delivery.body.decode("ascii")
    return parse_qsl(form, keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS_AT_MOST, errors="strict")


def _bases(public_url: str) -> list[str]:
    """The address as configured, with its port named, and without."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path.rstrip("/")
    return [public_url.rstrip("/"), f"{parts.scheme}://{host}:{port}{path}", f"{parts.scheme}://{host}{path}"]
