"""Secrets that a stack makes for itself once and keeps in ``HUB_HOME``/secrets, files that nobody else on the machine can read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from hub.private_files import SECRETS_FOLDER, kept, write_private

ENCRYPTION_KEY, AUTH_STRING = "prefect_encryption_key", "prefect_auth_string"
SANDBOX_TOKEN, REHEARSAL_KEYS, GATEWAY_KEY = "sandbox_token", "rehearsal_keys", "gateway_key"

_REHEARSAL_PREFIXES = {
    "stripe": "sk_test_rehearsal_",
    "sendgrid": "SG.rehearsal.",
    "shippo": "shippo_test_rehearsal_",
    "slack": "xoxb-rehearsal-",
    "twilio": "rehearsal_twilio_",
    "profiles": "profiles_rehearsal_",
    "github": "github_pat_rehearsal_",
    "warehouse": "whsec_cmVoZWFyc2Fs",  # the word in base64
}


def encryption_key(home: Path) -> str:
    """The Fernet key that Prefect's server encrypts blocks with; lost key, lost blocks."""
    return kept(home, ENCRYPTION_KEY, lambda: base64.urlsafe_b64encode(os.urandom(32)).decode())


def auth_string(home: Path) -> str:
    """What Prefect's server asks of every client, ``user:password``; the browser asks for it in this form too."""
    return kept(home, AUTH_STRING, lambda: f"hub:{secrets.token_urlsafe(24)}")


def sandbox_token(home: Path) -> str:
    """What the sandbox asks of whoever wants to control it."""
    return kept(home, SANDBOX_TOKEN, lambda: secrets.token_urlsafe(24))


def gateway_key(home: Path) -> str:
    """What the `hub` command of this folder shows the gateway."""
    return kept(home, GATEWAY_KEY, lambda: f"hub_{secrets.token_urlsafe(32)}")


def rehearsal_keys(home: Path) -> dict[str, str]:
    """One key per provider that only the sandbox accepts, recognisable by the word in it."""
    stored: dict[str, str] = json.loads(kept(home, REHEARSAL_KEYS, lambda: "{}"))
    missing = {name: prefix + secrets.token_hex(12) for name, prefix in _REHEARSAL_PREFIXES.items() if name not in stored}
    if missing:  # all of them, or what an earlier version did not know
        stored |= missing
        write_private(home / SECRETS_FOLDER / REHEARSAL_KEYS, json.dumps(stored))
    return stored
