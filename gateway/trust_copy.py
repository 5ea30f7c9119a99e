"""The gateway's own copy of the webhook secrets, encrypted: so that it still opens the door after a restart while Prefect is down."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from blocks.webhook_trust import Trust
from hub import private_files

log = logging.getLogger(__name__)

KEY, COPY = "webhook_copy_key", "webhook_copy"


def written_copy(home: Path) -> dict[str, Trust]:
    """Return what was last written, or nothing when there is no copy that can be read."""
    sealed = private_files.known(home, COPY)
    if sealed is None:
        return {}
    try:
        plain = json.loads(_cipher(home).decrypt(sealed.encode()))
        return {name: Trust(secrets=tuple(map(SecretStr, one["secrets"])), by_token=one["by_token"]) for name, one in plain.items()}
    except (InvalidToken, ValueError, KeyError, TypeError, AttributeError) as damage:
        log.warning("the copy of the webhook secrets cannot be read (%s); they have to come from Prefect", type(damage).__name__)
        return {}


def write_copy(home: Path, trust: Mapping[str, Trust]) -> None:
    """Write the copy, readable by nobody else."""
    plain = {
        name: {"secrets": [secret.get_secret_value() for secret in one.secrets], "by_token": one.by_token} for name, one in trust.items()
    }
    sealed = _cipher(home).encrypt(json.dumps(plain).encode())
    private_files.write_private(home / private_files.SECRETS_FOLDER / COPY, sealed.decode())


def _cipher(home: Path) -> Fernet:
    return Fernet(private_files.kept(home, KEY, lambda: Fernet.generate_key().decode()))
