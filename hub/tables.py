"""
The hub's tables. Every decision is made from these rows; ``hub/migrations`` makes them.

Times are ``timestamptz`` and compared in database time. A subject is an order, a sign-up or a release: ``SubjectColumns`` is what
claims, the ledger and the sweep need of any of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.columns import count, flag, json_value, moment, number


class HubIdentity(SQLModel, table=True):
    """
    The one row that says which hub this database belongs to. ``mode`` is live, test or rehearsal, once it was decided.

    ``restored_from``: of which moment its rows are, when it was restored from a back-up; ``hub/recovery.py`` explains the rest.
    """

    __tablename__ = "hub_identity"
    __table_args__ = (CheckConstraint("only_row"),)

    only_row: bool = Field(default=True, primary_key=True)
    hub_id: UUID
    mode: str | None = None
    created_at: datetime = moment(now=True)
    restored_from: datetime | None = moment()
    recovery_began_at: datetime | None = moment()
    recovery_ended_at: datetime | None = moment()

    @property
    def recovering(self) -> bool:
        """Whether no provider may be asked anything until a person says so."""
        return self.recovery_began_at is not None and self.recovery_ended_at is None


class SubjectColumns(SQLModel):
    """
    What every subject's row has.

    ``attempt`` is the generation of all steps, ``epoch`` makes cache keys stale, ``fence`` rises with every claim; ``resume_at`` is the one
    durable trigger: when it is in the past and nobody holds the lease, the sweep starts a run.
    """

    id: str = Field(primary_key=True)
    correlation_id: str
    attempt: int = 1
    epoch: int = 1
    fence: int = 0
    lease_owner: str | None = None
    lease_until: datetime | None = moment()
    resume_at: datetime | None = moment()
    runs_without_progress: int = 0
    progressed_at: datetime = moment(now=True)
    attention: str | None = Field(default=None, sa_type=Text)
    request: dict[str, Any] = json_value()
    status: str
    message: str = Field(default="", sa_type=Text)
    created_at: datetime = moment(now=True)


class OrderRow(SubjectColumns, table=True):
    """An order. ``status`` is ``status_of`` the facets, stored beside them so that it can be searched."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("orders_due", "resume_at", postgresql_where=text("resume_at IS NOT NULL")),
        Index("orders_by_status", "status", "created_at", "id"),
        Index("orders_by_tracking_number", "tracking_number", postgresql_where=text("tracking_number IS NOT NULL")),
        Index("orders_attention", "progressed_at", postgresql_where=text("attention IS NOT NULL")),
        Index("orders_waiting", "waits_since", postgresql_where=text("waits_since IS NOT NULL")),
    )

    currency: str
    amount: int = Field(sa_type=BigInteger)
    payment_method: str
    payment: str
    parcel: str
    stock: str
    hold: str
    dispute: str = Field(default="none", sa_column_kwargs={"server_default": "none"})
    refunded: int = Field(default=0, sa_type=BigInteger)
    refunded_in_all: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    payment_id: str | None = None
    earlier_payment_id: str | None = None
    charge_id: str | None = None
    tracking_number: str | None = None
    waits_since: datetime | None = moment()
    next_action: dict[str, Any] | None = json_value(required=False)


class EffectRow(SQLModel, table=True):
    """
    What one step does to the outside, once. States: intended, pending, unknown, done, refused, undone.

    ``request`` is complete: a repetition sends what was intended at first. A step has at most one effect that is not over.
    ``delivery``: how far a message has got, as its provider told later.
    """

    __tablename__ = "effects"
    __table_args__ = (
        Index(
            "effects_one_per_step",
            "subject_kind",
            "subject_id",
            "step",
            unique=True,
            postgresql_where=text("state IN ('intended', 'pending', 'unknown', 'done')"),
        ),
        Index("effects_by_subject", "subject_kind", "subject_id", "step"),
        Index("effects_due", "resume_at", postgresql_where=text("resume_at IS NOT NULL")),
        Index("effects_open", "provider", postgresql_where=text("state IN ('intended', 'pending', 'unknown')")),
        Index("effects_by_time", "created_at", postgresql_using="brin"),
        Index("effects_by_reference", "provider", "reference", postgresql_where=text("reference IS NOT NULL")),
    )

    key: str = Field(primary_key=True)
    subject_kind: str
    subject_id: str
    step: str
    attempt: int
    provider: str
    action: str
    request: dict[str, Any] = json_value()
    state: str
    reference: str | None = None
    result: dict[str, Any] | None = json_value(required=False)
    code: str | None = None
    delivery: str | None = None
    same_key_is_useless: bool = False
    resume_at: datetime | None = moment()
    useful_until: datetime | None = moment()
    created_at: datetime = moment(now=True)
    settled_at: datetime | None = moment()


class AttemptRow(SQLModel, table=True):
    """
    One HTTP request to a provider, committed before it is sent. ``kind`` is call or look.

    ``outcome``: null while nobody knows, else done, pending, refused, not_sent, rate_limited, misconfigured, unknown, found or absent.
    """

    __tablename__ = "attempts"
    __table_args__ = (Index("attempts_by_effect", "effect_key", "id"),)

    id: int = number()
    effect_key: str = Field(foreign_key="effects.key")
    kind: str
    run_id: str
    fence: int
    started_at: datetime = moment(now=True)
    send_by: datetime | None = moment()
    settles_at: datetime | None = moment()
    ended_at: datetime | None = moment()
    outcome: str | None = None
    http_status: int | None = None
    provider_request_id: str | None = None
    provider_text: str | None = Field(default=None, sa_type=Text)


class FactRow(SQLModel, table=True):
    """
    Something that has happened to a subject, recorded once under its identity.

    ``source``: run, late run, undo, resolver, sweep, clock, webhook, reconciliation or person.
    """

    __tablename__ = "facts"
    __table_args__ = (UniqueConstraint("subject_kind", "subject_id", "kind", "identity", name="facts_once"),)

    id: int = number()
    subject_kind: str
    subject_id: str
    kind: str
    identity: str
    data: dict[str, Any] = json_value()
    source: str
    at: datetime = moment(now=True)


class RunRow(SQLModel, table=True):
    """One claim of a subject by a run, from the claim to the letting go. A run that died has no end until the sweep notes it."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("runs_by_subject", "subject_kind", "subject_id", "fence"),
        Index("runs_open", "subject_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: int = number()
    subject_kind: str
    subject_id: str
    run_id: str
    attempt: int
    fence: int
    started_at: datetime = moment(now=True)
    ended_at: datetime | None = moment()
    ended_as: str | None = None


class ProviderGateRow(SQLModel, table=True):
    """
    Whether a provider may be called now, and how fast; ``hub/gates.py`` explains it.

    Closed: every subject that needs it parks until ``closed_until``. ``paused``: why a person has closed it. ``breaks``: too many failures
    close it. ``probes``: the next call is a probe, and ``probing``: it is under way; ``closings`` were in a row. ``calls`` and ``failures``
    count since ``window_began_at``. ``rate_per_second`` and ``burst`` limit a bucket of tokens that is full again at ``free_at``, and
    ``passed_at`` is the same of the calls that really went. ``wakes``: whoever parked because of the gate is to be woken.
    """

    __tablename__ = "provider_gates"

    provider: str = Field(primary_key=True)
    closed_until: datetime | None = moment()
    reason: str | None = None
    misconfigured_in_a_row: int = count()
    paused: str | None = None
    breaks: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    probes: bool = flag()
    probing: bool = flag()
    closings: int = count()
    window_began_at: datetime | None = moment()
    calls: int = count()
    failures: int = count()
    rate_per_second: float | None = None
    burst: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    free_at: datetime | None = moment()
    passed_at: datetime | None = moment()
    wakes: bool = flag()


class ApiKeyRow(SQLModel, table=True):
    """A bearer key of the gateway, as its hash. ``scopes`` says what it opens."""

    __tablename__ = "api_keys"

    name: str = Field(primary_key=True)
    hashed: str = Field(unique=True)
    scopes: list[str] = json_value()
    created_at: datetime = moment(now=True)
    revoked_at: datetime | None = moment()


class StockRow(SQLModel, table=True):
    """How many pieces of a product are on the shelf. A product without a row is not counted and never runs out."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("on_hand >= 0", name="stock_never_below_zero"),)

    product_id: str = Field(primary_key=True)
    on_hand: int


class ReservationRow(SQLModel, table=True):
    """Pieces set aside for one attempt of one order."""

    __tablename__ = "reservations"

    order_id: str = Field(primary_key=True, foreign_key="orders.id")
    attempt: int = Field(primary_key=True)
    product_id: str = Field(primary_key=True)
    quantity: int
    released_at: datetime | None = moment()


metadata = SQLModel.metadata
