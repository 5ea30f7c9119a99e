"""The tables of reconciliations: which there were, what they found, and what they have seen at providers so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from hub.columns import json_value, moment


class ReconciliationRow(SQLModel, table=True):
    """
    One comparison of the ledger with the providers over a period.

    ``outcome`` is the report, once it is finished; ``audit_heads`` the digest over the heads of the payment audit log's chains at that
    time. ``posted``: the id of the message with which the team was told.
    """

    __tablename__ = "reconciliations"

    id: str = Field(primary_key=True)
    since: datetime = moment(required=True)
    until: datetime = moment(required=True)
    started_at: datetime = moment(now=True)
    finished_at: datetime | None = moment()
    outcome: dict[str, Any] | None = json_value(required=False)
    audit_heads: str | None = None
    posted: str | None = None


class SightingRow(SQLModel, table=True):
    """An object of ours that a reconciliation has seen at its provider; what is not among them is looked for by itself."""

    __tablename__ = "sightings"

    reconciliation_id: str = Field(primary_key=True, foreign_key="reconciliations.id")
    provider: str = Field(primary_key=True)
    reference: str = Field(primary_key=True)
