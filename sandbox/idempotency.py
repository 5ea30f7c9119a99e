"""
Stripe's idempotency: the first answer under a key is the only one for 24 hours.

Source: https://docs.stripe.com/api/idempotent_requests and https://docs.stripe.com/error-low-level#idempotency
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.calls import Answer, Call
from sandbox.store import Store

KEPT_SECONDS = 24 * 3600
LONGEST_KEY = 255


class KeptAnswers:
    """
    Answers by account and key, and the keys whose first request is executing now.

    An answer is kept in the transaction of the work it reports, so that neither exists without the other. What executes is only in
    memory: after a crash of the sandbox no request executes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._executing: set[tuple[str, str]] = set()

    def known(self, call: Call) -> Answer | None:
        """Return what the key alone already decides, or None when the work is to be done."""
        if call.key is None:
            return None
        if len(call.key) > LONGEST_KEY:
            return refused(400, f"Idempotency keys can be at most {LONGEST_KEY} characters long.")
        if _slot(call) in self._executing:
            return in_use(call.key)
        row = self._store.connection.execute(
            "SELECT * FROM answers WHERE account = ? AND key = ? AND at > ?", (*_slot(call), time.time() - KEPT_SECONDS)
        ).fetchone()
        if row is None:
            return None
        if row["path"] != f"{call.method} {call.path}":
            return mismatch(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{call.path}' vs '{row['path'].split(' ', 1)[1]}').",
                call.key,
            )
        if row["fingerprint"] != call.fingerprint:
            return mismatch("Keys for idempotent requests can only be used with the same parameters they were first used with.", call.key)
        headers = {"Idempotent-Replayed": "true", "Original-Request": row["request_id"]}
        return Answer(row["status"], json.loads(row["body"]), headers)

    @contextmanager
    def executing(self, call: Call) -> Iterator[None]:
        """Refuse others with the same key while the block runs."""
        if call.key is None:
            yield
            return
        self._executing.add(_slot(call))
        try:
            yield
        finally:
            self._executing.discard(_slot(call))

    def keep(self, call: Call, answer: Answer) -> None:
        """Make ``answer`` the one that every repeat gets; inside the transaction of the work."""
        if call.key is not None:
            self._store.connection.execute(
                "INSERT OR REPLACE INTO answers (account, key, path, fingerprint, at, status, body, request_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *_slot(call),
                    f"{call.method} {call.path}",
                    call.fingerprint,
                    time.time(),
                    answer.status,
                    json.dumps(answer.body),
                    call.request_id,
                ),
            )


def in_use(key: str) -> Answer:
    """Return the answer to a request whose key belongs to one that is still executing."""
    return refused(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the "
        f"other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
    )


def mismatch(sentence: str, key: str) -> Answer:
    """Return the answer to a key that was used for something else."""
    return refused(
        400, f"{sentence} Try using a key other than '{key}' if you meant to execute a different request.", kind="idempotency_error"
    )


def refused(status: int, message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> Answer:
    """Return an error in Stripe's shape."""
    return Answer(status, {"error": {"message": message, "type": kind} | ({"code": code} if code else {})})


def _slot(call: Call) -> tuple[str, str]:
    return call.credential or "", call.key or ""
