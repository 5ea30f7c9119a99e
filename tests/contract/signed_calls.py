"""What tests of webhooks share: secrets of every sender, calls signed as the sender signs them, and a gateway that believes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from sqlmodel import select

from blocks.webhook_trust import Trust
from gateway.trust_copy import write_copy
from hub.inbox import transaction
from hub.inbox_tables import NoticeRow
from tests.contract.gateway_process import Gateway, running_gateway

PUBLIC_URL = "https://hooks.example.com"
SECRETS = {
    "stripe": "whsec_of_stripe",
    "shippo": "secret-of-shippo",
    "slack": "secret-of-slack",
    "twilio": "auth-token-of-twilio",
    "github": "secret-of-github",
    "custom": "whsec_" + base64.b64encode(b"a key of twenty-four bytes").decode(),
}
SENDGRID = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Call:
    """One webhook call; ``headers`` in the order they are sent."""

    provider: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    query: str = ""

    @property
    def target(self) -> str:
        return f"/webhooks/{self.provider}{'?' * bool(self.query)}{self.query}"

    def without(self, name: str) -> Call:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))

    def with_header(self, name: str, value: str) -> Call:
        return replace(self.without(name), headers=(*self.without(name).headers, (name, value)))

    def with_twice(self, name: str) -> Call:
        return replace(self, headers=(*self.headers, *(pair for pair in self.headers if pair[0] == name)))


def public_key(private: ec.EllipticCurvePrivateKey = SENDGRID) -> str:
    """The key as SendGrid shows it."""
    return base64.b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _mac(secret: str, text: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), text, algorithm).digest()


def stripe_call(body: bytes, *, secret: str = SECRETS["stripe"], at: float | None = None) -> Call:
    date = f"{at or time.time():.0f}"
    return Call("stripe", body, (("Stripe-Signature", f"t={date},v1={_mac(secret, date.encode() + b'.' + body).hex()}"),))


def sendgrid_call(body: bytes, *, private: ec.EllipticCurvePrivateKey = SENDGRID, at: float | None = None) -> Call:
    date = f"{at or time.time():.0f}"
    signature = base64.b64encode(private.sign(date.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    names = ("X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp")
    return Call("sendgrid", body, tuple(zip(names, (signature, date), strict=True)))


def shippo_call(body: bytes, *, secret: str = SECRETS["shippo"], at: float | None = None) -> Call:
    date = f"{at or time.time():.0f}"
    return Call("shippo", body, (("Shippo-Auth-Signature", f"t={date},v1={_mac(secret, date.encode() + b'.' + body).hex()}"),))


def slack_call(body: bytes, *, secret: str = SECRETS["slack"], at: float | None = None) -> Call:
    date = f"{at or time.time():.0f}"
    signature = f"v0={_mac(secret, b'v0:' + date.encode() + b':' + body).hex()}"
    return Call("slack", body, (("X-Slack-Signature", signature), ("X-Slack-Request-Timestamp", date)))


def twilio_call(fields: dict[str, str], *, secret: str = SECRETS["twilio"], query: str = "", url: str = PUBLIC_URL) -> Call:
    call = Call("twilio", urlencode(fields).encode(), (), query)
    signed = url + call.target + "".join(name + fields[name] for name in sorted(fields))
    return call.with_header("X-Twilio-Signature", base64.b64encode(_mac(secret, signed.encode(), "sha1")).decode())


def github_call(body: bytes, *, secret: str = SECRETS["github"], event: str = "ping", guid: str | None = None) -> Call:
    names = ("X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery")
    values = (f"sha256={_mac(secret, body).hex()}", event, guid or f"72d3162e-{secrets.token_hex(12)}")
    return Call("github", body, tuple(zip(names, values, strict=True)))


def custom_call(body: bytes, *, secret: str = SECRETS["custom"], guid: str | None = None, at: float | None = None) -> Call:
    guid, date = guid or f"msg_{secrets.token_hex(12)}", f"{at or time.time():.0f}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{guid}.{date}.".encode() + body, hashlib.sha256).digest()
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return Call("custom", body, tuple(zip(names, (guid, date, f"v1,{base64.b64encode(mac).decode()}"), strict=True)))


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def fresh(provider: str) -> Call:
    """A genuine call that nobody has made before, of the most ordinary kind."""
    mark = secrets.token_hex(8)
    return _ORDINARY[provider](mark)


_ORDINARY: dict[str, Callable[[str], Call]] = {
    "stripe": lambda mark: stripe_call(as_json({"id": f"evt_{mark}", "type": "payment_intent.succeeded", "data": {"object": {}}})),
    "sendgrid": lambda mark: sendgrid_call(
        as_json([{"event": "delivered", "sg_message_id": mark, "email": "ann@example.com", "timestamp": 1}])
    ),
    "shippo": lambda mark: shippo_call(
        as_json({"event": "transaction_updated", "test": True, "data": {"object_id": mark, "status": "SUCCESS"}})
    ),
    "slack": lambda mark: slack_call(as_json({"type": "event_callback", "event_id": f"Ev{mark}", "event": {"type": "message"}})),
    "twilio": lambda mark: twilio_call(
        {"MessageSid": f"SM{mark}", "MessageStatus": "delivered", "To": "+15005550006"}, query="effect=h%3Ao"
    ),
    "github": lambda mark: github_call(as_json({"action": "created", "mark": mark}), event="deployment_status"),
    "custom": lambda mark: custom_call(as_json({"type": "packed", "timestamp": "2026-11-22T04:00:00Z", "data": {"orderId": mark}})),
}
PROVIDERS = tuple(_ORDINARY)
SIGNATURE_HEADERS = {provider: tuple(name for name, _ in fresh(provider).headers) for provider in PROVIDERS}


def trust(**changed: tuple[str, ...]) -> dict[str, Trust]:
    """Whom the gateway believes; ``changed`` names other secrets, newest first."""
    known = {name: (secret,) for name, secret in SECRETS.items()} | {"sendgrid": (public_key(),)} | changed
    return {name: Trust(secrets=tuple(map(SecretStr, one))) for name, one in known.items()}


@asynccontextmanager
async def open_door(
    home: Path, database_url: str, believed: dict[str, Trust] | None = None, *, prefect_url: str | None = None, only: str | None = None
) -> AsyncIterator[Gateway]:
    """A gateway that was started while Prefect is down, and knows the secrets from its own copy."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment on a local disk, in a test
    (home / "secrets").mkdir(exist_ok=True)
    write_copy(home, trust() if believed is None else believed)
    async with running_gateway(home, database_url=database_url, prefect_url=prefect_url, public_url=PUBLIC_URL, only=only) as gateway:
        yield gateway


async def send(gateway: Gateway, call: Call) -> httpx.Response:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in call.headers]
    return await gateway.http.post(call.target, content=call.body, headers=headers)


async def kept_notices() -> list[NoticeRow]:
    async with transaction() as session:
        return list((await session.exec(select(NoticeRow).order_by(NoticeRow.id))).all())  # type: ignore[arg-type]  # a column, not an int
