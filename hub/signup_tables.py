"""The tables of sign-ups: the sign-up itself, what is recorded of it (registration, log of operations), and bulletins to their readers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.columns import json_value, moment, number
from hub.tables import SubjectColumns


class SignupRow(SubjectColumns, table=True):
    """
    A sign-up. ``email`` is normalised and unique: it is who the user is.

    Each step's outcome has a column; ``status`` is the report's, stored beside them so that it can be searched. ``amount`` in minor units.
    """

    __tablename__ = "signups"
    __table_args__ = (
        UniqueConstraint("email", name="signups_one_per_email"),
        Index("signups_due", "resume_at", postgresql_where=text("resume_at IS NOT NULL")),
        Index("signups_by_status", "status", "created_at", "id"),
        Index("signups_attention", "progressed_at", postgresql_where=text("attention IS NOT NULL")),
    )

    email: str
    critical: list[str] = json_value()
    amount: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    payment_method: str | None = None
    profile: str
    payment: str
    welcome: str
    confirmation: str
    verification: str
    records: str
    hold: str
    codes: dict[str, Any] = json_value()
    notifications: dict[str, Any] = json_value()
    user_id: str | None = None
    payment_id: str | None = None
    next_action: dict[str, Any] | None = json_value(required=False)


class BulletinRow(SQLModel, table=True):
    """A bulletin: an id that means one text. Who got it stands in the ledger."""

    __tablename__ = "bulletins"

    id: str = Field(primary_key=True)
    subject_line: str
    text: str = Field(sa_type=Text)
    created_at: datetime = moment(now=True)


class RegistrationRow(SQLModel, table=True):
    """What became of a sign-up, as it was last reported. No personal data: the sign-up has it."""

    __tablename__ = "registrations"

    signup_id: str = Field(primary_key=True, foreign_key="signups.id")
    user_id: str | None = None
    status: str
    profile_created: bool
    payment_processed: bool
    amount: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    errors: list[str] = json_value()
    correlation_id: str
    recorded_at: datetime = moment(now=True)


class ActivityRow(SQLModel, table=True):
    """One operation of a sign-up and what came of it; when that changes, another entry follows. ``details`` holds ids and codes."""

    __tablename__ = "activities"
    __table_args__ = (UniqueConstraint("signup_id", "operation", "outcome", name="activities_once"),)

    id: int = number()
    signup_id: str = Field(foreign_key="signups.id")
    operation: str
    outcome: str
    details: dict[str, Any] = json_value()
    at: datetime = moment(now=True)
