"""What the tests of the sandbox's webhooks share: secrets, a sandbox that calls a receiver back, and payments that cause events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.contract.sandbox_process import Sandbox, Webhooks, running_sandbox
from tests.contract.webhook_receiver import Received, Receiver, running_receiver

MAIL_KEY = ec.generate_private_key(ec.SECP256R1())
MAIL_PUBLIC_KEY = base64.b64encode(MAIL_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
SECRETS = {
    "stripe": "whsec_rehearsal",
    "sendgrid": MAIL_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "shippo": "shippo-secret",
    "slack": "slack-signing-secret",
    "twilio": "twilio-auth-token",
    "github": "github-secret",
    "custom": "whsec_" + base64.b64encode(b"a key of the warehouse's own 123").decode(),
}


@asynccontextmanager
async def calling_back(home: Path, **more: Any) -> AsyncIterator[tuple[Sandbox, Receiver]]:
    """A sandbox, and the receiver that it calls."""
    async with running_receiver() as receiver, running_sandbox(home, webhooks=Webhooks(receiver.url, SECRETS, **more)) as sandbox:
        yield sandbox, receiver


async def pay(sandbox: Sandbox, order: str, method: str = "pm_card_visa") -> dict[str, Any]:
    """Try a payment at the rehearsal Stripe and return its PaymentIntent, ``{}`` when there is none."""
    form = {"amount": "1999", "currency": "usd", "confirm": "true", "payment_method": method, "metadata[order_id]": order}
    form |= {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=10, trust_env=False) as http:
        answer = await http.post("/stripe/v1/payment_intents", data=form, headers={"Authorization": "Bearer sk_test_hub"})
    found: dict[str, Any] = answer.json()
    return found["error"].get("payment_intent", {}) if "error" in found else found


def kinds(received: list[Received]) -> list[str]:
    """The types of Stripe's events, in the order they came."""
    return [json.loads(one.body)["type"] for one in received]


def stripe_kinds(receiver: Receiver) -> list[str]:
    """The types of the events that Stripe told so far, sorted."""
    return sorted(kinds(receiver.to("stripe")))


async def post(sandbox: Sandbox, path: str, key: str, **more: Any) -> dict[str, Any]:
    """Call a rehearsal provider; ``key`` is the whole Authorization header."""
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=10, trust_env=False) as http:
        answer = await http.post(path, headers={"Authorization": key}, **more)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found | {"X-Message-Id": answer.headers.get("X-Message-Id")}


async def mail(sandbox: Sandbox, *addresses: str, order: str = "o-1") -> str:
    """Send one mail to each address and return the message's id."""
    message = {
        "personalizations": [{"to": [{"email": address}]} for address in addresses],
        "from": {"email": "shop@example.com"},
        "subject": "Your order",
        "content": [{"type": "text/plain", "value": "Thank you."}],
        "custom_args": {"order_id": order, "effect": f"h:order:{order}:mail:1"},
    }
    return str((await post(sandbox, "/sendgrid/v3/mail/send", "Bearer SG.hub", json=message))["X-Message-Id"])


async def label(sandbox: Sandbox, *, asynchronous: bool = False, zip_code: str = "10001") -> dict[str, Any]:
    """Buy a label for order ``o-1`` and return the transaction."""
    place = {"name": "A", "street1": "1 Main St", "city": "New York", "state": "NY", "zip": zip_code, "country": "US"}
    parcel = {"length": "30", "width": "20", "height": "15", "distance_unit": "cm", "weight": "1500", "mass_unit": "g"}
    key = "ShippoToken shippo_test_hub"
    reference = "0123456789abcdef:order:o-1:label:1"
    shipment = {"address_from": {**place, "zip": "94103"}, "address_to": place, "parcels": [parcel], "metadata": reference, "async": False}
    rates = (await post(sandbox, "/shippo/shipments", key, json=shipment))["rates"]
    return await post(sandbox, "/shippo/transactions", key, json={"rate": rates[0]["object_id"], "async": asynchronous})


async def text(sandbox: Sandbox, to: str = "+14155550100", callback: str | None = None) -> dict[str, Any]:
    """Send a text and return the message."""
    account, token = f"AC{'0' * 32}", "rehearsal-token"
    form = {"To": to, "From": "+14155550111", "Body": "Your order is on its way."} | ({"StatusCallback": callback} if callback else {})
    basic = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
    return await post(sandbox, f"/twilio/2010-04-01/Accounts/{account}/Messages.json", basic, data=form)


def hmac_hex(secret: str, signed: bytes) -> str:
    """HMAC-SHA256 as hexadecimal digits, computed without the sandbox's help."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
