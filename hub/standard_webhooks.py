"""
The Standard Webhooks scheme, by which systems of the company's own sign what they tell each other: ``id.timestamp.body``.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SECRET_PREFIX, SCHEME = "whsec_", "v1"


def key_in(secret: str) -> bytes:
    """
    Return the key that a secret, ``whsec_`` and base64, holds.

    Raises:
        ValueError: It holds none.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    if not key:
        raise ValueError("the secret is empty")
    return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message that is sent at ``timestamp``, in unix seconds, without its scheme."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signed_headers(secret: str, message_id: str, body: bytes, *, now: float) -> dict[str, str]:
    """
    Return the headers that make ``body`` a signed message; ``now`` in unix seconds.

    A message keeps its ``message_id`` however often it is sent, and is signed anew each time: so its receiver knows a repetition.
    """
    timestamp = str(int(now))
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: f"{SCHEME},{signature(key_in(secret), message_id, timestamp, body)}"}
