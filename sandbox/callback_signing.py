"""Turns what a provider has to say into the request it would really send: body, headers and signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key


@dataclass(frozen=True)
class Draft:
    """
    One request before it is signed.

    ``contents`` is one event, or several of SendGrid's; ``attempt`` counts from 1; ``trouble`` is how the last one ended, in Slack's
    words; ``form`` says that Slack's interactivity is meant, which comes as a form; ``now`` is epoch seconds.
    """

    kind: str
    identity: str
    contents: list[dict[str, Any]]
    form: bool
    url: str
    secret: str
    attempt: int
    trouble: str
    now: float


@dataclass(frozen=True)
class Letter:
    """One request as it goes over the wire."""

    body: bytes
    headers: dict[str, str]


def _stripe(draft: Draft) -> Letter:
    """Source: https://docs.stripe.com/webhooks#verify-manually, also for the meaningless v0 of test mode."""
    body = json.dumps(draft.contents[0], indent=2).encode()
    stamp = int(draft.now)
    signed = b"%d.%b" % (stamp, body)
    v1, v0 = (_hex(draft.secret.encode(), signed), _hex(b"not a secret", signed))
    return Letter(body, _json("Stripe/1.0 (+https://stripe.com/docs/webhooks)") | {"Stripe-Signature": f"t={stamp},v1={v1},v0={v0}"})


def _sendgrid(draft: Draft) -> Letter:
    """Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features."""
    body = b"[" + b",\r\n".join(json.dumps(event).encode() for event in draft.contents) + b"]\r\n"
    stamp = str(int(draft.now))
    signature = base64.b64encode(_elliptic(draft.secret).sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    prefix = "X-Twilio-Email-Event-Webhook"
    return Letter(body, _json("SendGrid Event API") | {f"{prefix}-Signature": signature, f"{prefix}-Timestamp": stamp})


def _shippo(draft: Draft) -> Letter:
    """Source: https://docs.goshippo.com/tracking/webhook-security."""
    body = json.dumps(draft.contents[0]).encode()
    stamp = int(draft.now)
    signature = _hex(draft.secret.encode(), b"%d.%b" % (stamp, body))
    return Letter(body, _json("Shippo/1.0") | {"Shippo-Auth-Signature": f"t={stamp},v1={signature}"})


def _slack(draft: Draft) -> Letter:
    """Source: https://docs.slack.dev/authentication/verifying-requests-from-slack and https://docs.slack.dev/apis/events-api#retries."""
    text = json.dumps(draft.contents[0])
    body = urlencode({"payload": text}).encode() if draft.form else text.encode()
    agent = "Slackbot 1.0 (+https://api.slack.com/robots)"
    stamp = int(draft.now)
    headers = _form(agent) if draft.form else _json(agent)
    headers |= {
        "X-Slack-Request-Timestamp": str(stamp),
        "X-Slack-Signature": f"v0={_hex(draft.secret.encode(), b'v0:%d:%b' % (stamp, body))}",
    }
    if draft.attempt > 1:
        headers |= {"X-Slack-Retry-Num": str(draft.attempt - 1), "X-Slack-Retry-Reason": draft.trouble}
    return Letter(body, headers)


def _twilio(draft: Draft) -> Letter:
    """Source: https://www.twilio.com/docs/usage/security#validating-requests; the fragment of the URL is not signed."""
    fields = {name: str(value) for name, value in draft.contents[0].items()}
    signed = draft.url.partition("#")[0] + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(draft.secret.encode(), signed.encode(), hashlib.sha1)).decode()
    headers = _form("TwilioProxy/1.1") | {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": draft.identity}
    return Letter(urlencode(fields).encode(), headers)


def _github(draft: Draft) -> Letter:
    """Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers."""
    body = json.dumps(draft.contents[0], separators=(",", ":")).encode()
    secret = draft.secret.encode()
    told = {
        "X-GitHub-Event": draft.kind,
        "X-GitHub-Delivery": draft.identity,
        "X-GitHub-Hook-ID": "100000001",
        "X-GitHub-Hook-Installation-Target-ID": "200000002",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature": f"sha1={hmac.digest(secret, body, hashlib.sha1).hex()}",
        "X-Hub-Signature-256": f"sha256={_hex(secret, body)}",
    }
    return Letter(body, _json("GitHub-Hookshot/rehearse") | told)


def _custom(draft: Draft) -> Letter:
    """Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md."""
    body = json.dumps(draft.contents[0]).encode()
    stamp = int(draft.now)
    key = base64.b64decode(draft.secret.removeprefix("whsec_"), validate=True)
    signature = base64.b64encode(hmac.digest(key, b"%b.%d.%b" % (draft.identity.encode(), stamp, body), hashlib.sha256)).decode()
    told = {"webhook-id": draft.identity, "webhook-timestamp": str(stamp), "webhook-signature": f"v1,{signature}"}
    return Letter(body, _json("Warehouse/1.0") | told)


SIGNERS: dict[str, Callable[[Draft], Letter]] = {
    "stripe": _stripe,
    "sendgrid": _sendgrid,
    "shippo": _shippo,
    "slack": _slack,
    "twilio": _twilio,
    "github": _github,
    "custom": _custom,
}


def iso(moment: float) -> str:
    """Return epoch seconds as most providers write a time."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hex(secret: bytes, signed: bytes) -> str:
    return hmac.digest(secret, signed, hashlib.sha256).hex()


def _elliptic(secret: str) -> ec.EllipticCurvePrivateKey:
    key = (
        load_pem_private_key(secret.encode(), None)
        if secret.startswith("-----BEGIN")
        else load_der_private_key(base64.b64decode(secret, validate=True), None)
    )
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("SendGrid signs with an elliptic curve key")
    return key


def _json(agent: str) -> dict[str, str]:
    return {"Content-Type": "application/json; charset=utf-8", "User-Agent": agent}


def _form(agent: str) -> dict[str, str]:
    return {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": agent}
