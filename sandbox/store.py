"""What the rehearsal providers remember: one SQLite file that survives a restart and a kill -9 of the sandbox."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    parent TEXT NOT NULL, created REAL NOT NULL, body TEXT NOT NULL, UNIQUE (provider, kind, id));
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (provider, kind, parent, seq);
CREATE TABLE IF NOT EXISTS effects (
    n INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, provider TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    subject TEXT, amount INTEGER, currency TEXT, reference TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS effects_by_subject ON effects (subject, provider, kind);
CREATE TABLE IF NOT EXISTS answers (
    account TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, fingerprint TEXT NOT NULL, at REAL NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, request_id TEXT NOT NULL, PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS later (
    n INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, provider TEXT NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS callbacks (n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""
_EVERYTHING = ("objects", "effects", "answers", "later", "callbacks", "sqlite_sequence")


class Store:
    """
    Objects by provider, kind and id, and the connection that the other tables share.

    Every call is synchronous and quick, and all of them happen on the one event loop thread, so the work of a request is atomic. The
    write-ahead log is not flushed to the disk on every commit: that is durable against the end of this process, not of the machine. The
    exclusive lock keeps a second sandbox out of the same home.
    """

    def __init__(self, file: Path) -> None:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self.connection = sqlite3.connect(file, isolation_level=None, timeout=5, check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.executescript(_TABLES)
        self._depth = 0
        self._afterwards: list[Callable[[], None]] = []

    def close(self) -> None:
        """Close the file; nothing else may be asked afterwards."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing when it raises. An inner one belongs to the outer one."""
        self._depth += 1
        try:
            if self._depth == 1:
                self.connection.execute("BEGIN IMMEDIATE")
            yield
        except BaseException:
            if self._depth == 1:
                self.connection.execute("ROLLBACK")
                self._afterwards.clear()
            raise
        else:
            if self._depth == 1:
                self.connection.execute("COMMIT")
        finally:
            self._depth -= 1
        if self._depth == 0:
            afterwards, self._afterwards = self._afterwards, []
            for do in afterwards:
                do()

    def once_committed(self, do: Callable[[], None]) -> None:
        """Call ``do`` after the transaction around this is committed, never if it is not; at once when there is none."""
        if self._depth:
            self._afterwards.append(do)
        else:
            do()

    def put(self, provider: str, kind: str, identity: str, body: dict[str, Any], *, parent: str = "") -> None:
        """Keep ``body``, new or in place of what was there; an object keeps its place in lists and its parent."""
        self.connection.execute(
            "INSERT INTO objects (provider, kind, id, parent, created, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (provider, kind, id) DO UPDATE SET body = excluded.body",
            (provider, kind, identity, parent, time.time(), json.dumps(body)),
        )

    def get(self, provider: str, kind: str, identity: str) -> dict[str, Any] | None:
        """Return the object, or None."""
        row = self.connection.execute(
            "SELECT body FROM objects WHERE provider = ? AND kind = ? AND id = ?", (provider, kind, identity)
        ).fetchone()
        return None if row is None else json.loads(row["body"])

    def parent_of(self, provider: str, kind: str, identity: str) -> str:
        """Return what the object was put below; "" when it stands alone, or there is none."""
        row = self.connection.execute(
            "SELECT parent FROM objects WHERE provider = ? AND kind = ? AND id = ?", (provider, kind, identity)
        ).fetchone()
        return "" if row is None else str(row["parent"])

    def remove(self, provider: str, kind: str, identity: str) -> None:
        """Forget the object, if it is there."""
        self.connection.execute("DELETE FROM objects WHERE provider = ? AND kind = ? AND id = ?", (provider, kind, identity))

    def newest_first(
        self, provider: str, kind: str, *, parent: str | None = None, made_before: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the objects of a kind, newest first; ``parent`` and ``made_before`` (epoch seconds) narrow it."""
        rows = self.connection.execute(
            "SELECT body FROM objects WHERE provider = ? AND kind = ? AND (? IS NULL OR parent = ?) AND (? IS NULL OR created <= ?)"
            " ORDER BY seq DESC",
            (provider, kind, parent, parent, made_before, made_before),
        )
        for row in rows:
            yield json.loads(row["body"])

    def forget_everything(self) -> None:
        """Empty every table and start counting at 1 again."""
        with self.transaction():
            for table in _EVERYTHING:
                self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand in this file
