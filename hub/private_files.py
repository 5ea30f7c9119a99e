"""Files that nobody else on the machine can read, complete or not there at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

SECRETS_FOLDER = "secrets"


def kept(home: Path, name: str, make: Callable[[], str]) -> str:
    """The secret ``name`` below ``home``, made by ``make`` when it is asked for the first time."""
    path = home / SECRETS_FOLDER / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, make())
    return path.read_text().strip()


def known(home: Path, name: str) -> str | None:
    """The secret ``name`` below ``home`` if it was ever made."""
    path = home / SECRETS_FOLDER / name
    return path.read_text().strip() if path.exists() else None


def write_private(path: Path, text: str) -> None:
    """``path`` holds ``text``, complete or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
