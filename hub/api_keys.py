"""Bearer keys of the gateway: made once, kept as hashes, scoped, revocable; two names alive at once make a rotation."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.tables import ApiKeyRow
from hub.values import Frozen

SCOPES = (
    *("orders:read", "orders:write", "signups:read", "signups:write", "releases:read", "releases:write"),
    *("approvals:read", "approvals:decide", "metrics:read", "customers:read", "operations:read", "operations:write"),
)
"""What a key can open. ``customers``: names and addresses, on the pages for people. ``operations``: providers' gates, and notices."""
PREFIX = "hub_"


class KeyInfo(Frozen):
    """A key without its secret."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class UnknownScope(Exception):
    """A scope that opens nothing."""

    def __str__(self) -> str:
        return f"scopes are {', '.join(SCOPES)}"


class ReservedKeyName(Exception):
    """A key of this name could pass for a person of Slack, or for the Prefect UI, where it asks for a refund or approves one."""

    def __str__(self) -> str:
        return "a key's name holds no colon and no parentheses"


class KeyNameTaken(Exception):
    """There is a key of this name already."""

    def __str__(self) -> str:
        return f"there is a key called {self.args[0]} already; choose another name, or revoke it and choose another name all the same"


async def add_key(name: str, scopes: tuple[str, ...] = SCOPES) -> str:
    """
    Make a key and return its secret, which is shown this once and kept nowhere. 256 random bits need no slow hash.

    Raises:
        KeyNameTaken: There is a key of this name, possibly revoked.
        ReservedKeyName: The name could pass for somebody else's.
        UnknownScope: A scope that does not exist.
    """
    if set(name) & set(":()"):
        raise ReservedKeyName(name)
    if set(scopes) - set(SCOPES):
        raise UnknownScope(scopes)
    secret = PREFIX + secrets.token_urlsafe(32)
    async with transaction() as session:
        added = await session.exec(
            insert(ApiKeyRow)
            .values(name=name, hashed=digest_of(secret), scopes=list(scopes))
            .on_conflict_do_nothing()
            .returning(col(ApiKeyRow.name))
        )
        if added.one_or_none() is None:
            raise KeyNameTaken(name)
    return secret


async def ensure_key(name: str, secret: str) -> None:
    """Let ``secret`` open everything under ``name``, replacing what the name opened before and what the secret was called before."""
    values = {"hashed": digest_of(secret), "scopes": list(SCOPES), "revoked_at": None}
    async with transaction() as session:
        await session.exec(delete(ApiKeyRow).where(col(ApiKeyRow.hashed) == values["hashed"], col(ApiKeyRow.name) != name))
        made = insert(ApiKeyRow).values(name=name, **values)
        await session.exec(made.on_conflict_do_update(index_elements=["name"], set_=values))


async def find_key(secret: str) -> KeyInfo | None:
    """Return whose key this is and what it opens, or None when nobody made it or it was revoked."""
    wanted = select(ApiKeyRow).where(col(ApiKeyRow.hashed) == digest_of(secret), col(ApiKeyRow.revoked_at).is_(None))
    async with transaction() as session:
        row = (await session.exec(wanted)).one_or_none()
    return None if row is None else _info(row)


async def living_key(name: str) -> tuple[KeyInfo, str] | None:
    """Return the key of this name and what is kept of its secret, or None when there is none or it was revoked."""
    async with transaction() as session:
        row = await session.get(ApiKeyRow, name)
    return None if row is None or row.revoked_at is not None else (_info(row), row.hashed)


async def list_keys() -> list[KeyInfo]:
    """Return all keys, oldest first, without their secrets."""
    async with transaction() as session:
        rows = await session.exec(select(ApiKeyRow).order_by(col(ApiKeyRow.created_at)))
        return [_info(row) for row in rows]


async def revoke_key(name: str) -> bool:
    """Make the key open nothing from now on; False when there is no living key of this name."""
    async with transaction() as session:
        revoked = await session.exec(
            update(ApiKeyRow)
            .where(col(ApiKeyRow.name) == name, col(ApiKeyRow.revoked_at).is_(None))
            .values(revoked_at=func.clock_timestamp())
            .returning(col(ApiKeyRow.name))
        )
        return revoked.one_or_none() is not None


def _info(row: ApiKeyRow) -> KeyInfo:
    return KeyInfo(name=row.name, scopes=tuple(row.scopes), created_at=row.created_at, revoked_at=row.revoked_at)


def digest_of(secret: str) -> str:
    """Return what is kept of a key's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
