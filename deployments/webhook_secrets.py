"""What the rehearsal providers sign their webhooks with, made once for each ``HUB_HOME``, and what the hub verifies them with."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_private_key
from pydantic import SecretStr

from blocks.webhook_sender import WebhookSender
from hub.private_files import SECRETS_FOLDER, kept, write_private

SANDBOX_FILE = "sandbox_webhook_secrets.json"
_BY_THE_KEY = ("twilio", "warehouse")  # what is signed, by either side, is signed with the account's key
SENDERS = ("custom",)  # whom we never call: they have no account, only a `hub-webhook-sender`
_REHEARSAL = b"rehearsal"  # nine bytes, so that they are recognisable in base64, too


def sandbox_file(home: Path, rehearsal_keys: Mapping[str, str]) -> Path:
    """Return the file that tells the sandbox how each provider signs; it is complete, and only its owner can read it."""
    _signing(home, rehearsal_keys)
    return home / SECRETS_FOLDER / SANDBOX_FILE


def verifying_secrets(home: Path, rehearsal_keys: Mapping[str, str]) -> dict[str, SecretStr]:
    """
    Return what the hub verifies rehearsed webhooks with, by sender: SendGrid's public key, else what the sandbox signs with.

    Twilio is not among them: it signs with the account's key; nor is the warehouse, which we sign for.
    """
    signing = _signing(home, rehearsal_keys)
    signing["sendgrid"] = _public(signing["sendgrid"])
    return {sender: SecretStr(secret) for sender, secret in signing.items() if sender not in _BY_THE_KEY}


async def save_senders(given: Mapping[str, str], rehearsed: Mapping[str, SecretStr]) -> None:
    """Systems of our own may call: with the secret that was ``given``, or that somebody saved, or else a ``rehearsed`` one."""
    for name in SENDERS:
        earlier = await _saved(name)
        if name in given:
            before = None if earlier is None else earlier.previous_webhook_secret
            sender = WebhookSender(webhook_secret=SecretStr(given[name]), previous_webhook_secret=before)
            await sender.save(name, overwrite=True)
        elif name in rehearsed and (earlier is None or all(_rehearses(secret) for secret in earlier.webhook_secrets)):
            await WebhookSender(webhook_secret=rehearsed[name]).save(name, overwrite=True)


async def _saved(name: str) -> WebhookSender | None:
    try:
        return await WebhookSender.aload(name)
    except ValueError:  # Prefect's own for "not found"; what is there and not valid is made anew, too
        return None


def _signing(home: Path, rehearsal_keys: Mapping[str, str]) -> dict[str, str]:
    stored: dict[str, Any] = json.loads(kept(home, SANDBOX_FILE, lambda: "{}"))
    wanted = stored | {name: make() for name, make in _MAKERS.items() if name not in stored}
    wanted |= {name: rehearsal_keys[name] for name in _BY_THE_KEY}
    if wanted != stored:
        write_private(home / SECRETS_FOLDER / SANDBOX_FILE, json.dumps(wanted))
    return {name: str(secret) for name, secret in wanted.items()}


def _private_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _public(private: str) -> str:
    key = load_der_private_key(base64.b64decode(private), None)
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _standard() -> str:
    return "whsec_" + base64.b64encode(_REHEARSAL + secrets.token_bytes(24)).decode()


def _rehearses(secret: SecretStr) -> bool:
    return any(mark in secret.get_secret_value() for mark in (_REHEARSAL.decode(), base64.b64encode(_REHEARSAL).decode()))


def _named(prefix: str) -> Callable[[], str]:
    return lambda: f"{prefix}rehearsal_{secrets.token_hex(16)}"


_MAKERS: dict[str, Callable[[], str]] = {
    "stripe": _named("whsec_"),
    "sendgrid": _private_key,
    "shippo": _named(""),
    "slack": _named(""),
    "github": _named(""),
    "custom": _standard,
}
