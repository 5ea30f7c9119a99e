"""The tables of what comes from outside, and of what must never be changed: the inbox, refused deliveries, the payment audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.columns import moment, number


class NoticeRow(SQLModel, table=True):
    """
    One thing a provider told us, kept before it was answered; ``hub/notices.py`` explains the states.

    ``next_at``: when it is due to be handled, null when there is nothing to do. ``waits_for``: what an early one needs, ``order:<id>``
    or ``<provider>:<reference>``; a trigger of the database makes it due when that appears. ``content`` may go, the identity stays.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("provider", "event_id", name="notices_once"),
        Index("notices_due", "next_at", "id", postgresql_where=text("next_at IS NOT NULL")),
        Index("notices_early", "waits_for", postgresql_where=text("state = 'early'")),
        Index("notices_to_clear", "handled_at", postgresql_where=text("content IS NOT NULL AND state IN ('handled', 'not_for_us')")),
        Index("notices_stuck", "id", postgresql_where=text("state IN ('failed', 'quarantined')")),
        Index("notices_by_subject", "subject_kind", "subject_id", postgresql_where=text("subject_id IS NOT NULL")),
    )

    id: int = number()
    provider: str
    event_id: str
    kind: str
    content: bytes | None = None
    state: str
    received_at: datetime = moment(now=True)
    next_at: datetime | None = moment()
    handled_at: datetime | None = moment()
    tries: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    subject_kind: str | None = None
    subject_id: str | None = None
    waits_for: str | None = None
    outcome: str | None = Field(default=None, sa_type=Text)


class InboxWatchRow(SQLModel, table=True):
    """Who works through the inbox, and until when that counts unless it is prolonged; one row at most."""

    __tablename__ = "inbox_watch"

    id: int = Field(primary_key=True)
    watcher: str
    until: datetime = moment(required=True)


class RefusedDeliveryRow(SQLModel, table=True):
    """How often somebody who was not surely the provider knocked at its door. Nothing of what was sent is kept."""

    __tablename__ = "refused_deliveries"

    provider: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)
    last_at: datetime = moment(now=True)


class PaymentAuditRow(SQLModel, table=True):
    """
    One payment operation of a subject: charge or refund attempted, charged, refused, refunded, disputed. The database's triggers write it.

    Append-only, and chained: ``digest`` covers the entry and the digest of the subject's entry before it (``hub/audit.py``). ``amount`` in
    minor units; ``reference`` is the provider's id of what it is about, or the effect's key for an attempt.
    """

    __tablename__ = "payment_audit"

    subject_kind: str = Field(primary_key=True)
    subject_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    operation: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    correlation_id: str
    provider_request_id: str | None = None
    reference: str | None = None
    at: datetime = moment(required=True)
    digest: str


class PaymentAuditCheckRow(SQLModel, table=True):
    """When the chains of the payment audit log were last followed, and how many were broken; one row at most."""

    __tablename__ = "payment_audit_check"

    id: int = Field(primary_key=True)
    at: datetime = moment(required=True)
    broken: int
