"""What the tests of the sandbox's webhooks share: secrets, a sandbox that calls a receiver back, and payments that cause events."""

from __future__ import annotations

import base64
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
