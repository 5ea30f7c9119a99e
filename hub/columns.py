"""Kinds of columns that several tables have."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Identity, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def moment(*, required: bool = False, now: bool = False) -> Any:
    """A ``timestamptz``; with ``now`` the database says when the row came."""
    return Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=not (required or now),
        sa_column_kwargs={"server_default": func.clock_timestamp()} if now else {},
    )


def count() -> Any:
    """A number that begins at 0."""
    return Field(default=0, sa_column_kwargs={"server_default": text("0")})


def flag() -> Any:
    """A boolean that begins as false."""
    return Field(default=False, sa_column_kwargs={"server_default": text("false")})


def json_value(*, required: bool = True) -> Any:
    """A ``jsonb``."""
    return Field(default=None, sa_type=JSONB, nullable=not required)


def number() -> Any:
    """A primary key that the database counts up."""
    return Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
