"""The effects log: what really happened at the rehearsal providers, in the order it was committed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from sandbox.store import Store

# Keys of a metadata object that name whom an effect is about, strongest first.
SUBJECT_KEYS = ("order_id", "signup_id", "release_id", "subject")
_TEXT_REFERENCE = re.compile(r"^[0-9a-fA-F-]{12,36}:[a-z_]+:(?P<subject>[^:]+)(?::|$)")


def subject_of(reference: Mapping[str, Any] | str | None) -> str | None:
    """
    Return whom a reference is about, or None.

    A mapping names it under one of ``SUBJECT_KEYS``; a text is read as ``<hub>:<kind>:<id>[:...]``, the hub in 12 hex digits or more,
    and the subject is ``<id>``. Shippo has only a text for a reference.
    """
    if isinstance(reference, str):
        found = _TEXT_REFERENCE.match(reference)
        return found["subject"] if found else None
    return next((str(reference[key]) for key in SUBJECT_KEYS if reference and reference.get(key)), None)


class Effects:
    """Appends to the log inside the transaction that does the work, and answers questions about it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(
        self,
        kind: str,
        identity: str,
        reference: Mapping[str, Any] | str,
        *,
        money: tuple[int, str] | None = None,
    ) -> None:
        """Append one effect. ``kind`` is ``<provider>.<what>``; ``money`` is minor units and currency."""
        provider, what = kind.split(".", 1)
        amount, currency = money or (None, None)
        kept = {"metadata": reference} if isinstance(reference, str) else dict(reference)
        self._store.connection.execute(
            "INSERT INTO effects (at, provider, kind, id, subject, amount, currency, reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (time.time(), provider, what, identity, subject_of(reference), amount, currency, json.dumps(kept)),
        )

    def found(self, provider: str | None, kind: str | None, subject: str | None, since: int) -> list[dict[str, Any]]:
        """Return the effects with a number above ``since``, oldest first; None means any."""
        rows = self._store.connection.execute(
            "SELECT * FROM effects WHERE n > ? AND (? IS NULL OR provider = ?) AND (? IS NULL OR kind = ?)"
            " AND (? IS NULL OR subject = ?) ORDER BY n",
            (since, provider, provider, kind, kind, subject, subject),
        )
        return [_readable(dict(row)) for row in rows]

    def newest(self, kind: str, subject: str | None, how_many: int) -> list[dict[str, Any]]:
        """Return the last effects of ``<provider>.<what>``, newest first; ``subject`` None means anybody's."""
        provider, what = kind.split(".", 1)
        rows = self._store.connection.execute(
            "SELECT * FROM effects WHERE provider = ? AND kind = ? AND (? IS NULL OR subject = ?) ORDER BY n DESC LIMIT ?",
            (provider, what, subject, subject, how_many),
        )
        return [_readable(dict(row)) for row in rows]

    def latest(self, how_many: int) -> list[dict[str, Any]]:
        """Return the last effects, newest first."""
        rows = self._store.connection.execute("SELECT * FROM effects ORDER BY n DESC LIMIT ?", (how_many,))
        return [_readable(dict(row)) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many effects there are of each kind, as ``{"stripe.charge": 3}``."""
        rows = self._store.connection.execute("SELECT provider || '.' || kind AS name, count(*) AS many FROM effects GROUP BY 1 ORDER BY 1")
        return {row["name"]: row["many"] for row in rows}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    row["reference"] = json.loads(row["reference"])
    if row["amount"] is None:
        del row["amount"], row["currency"]
    return row
