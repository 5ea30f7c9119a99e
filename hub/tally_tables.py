"""The tables of what is counted over all history: one entry per event, folded into tallies; ``hub/tallies.py`` explains it."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Double, Numeric, Text, text
from sqlmodel import Field, SQLModel

from hub.columns import number


class TallyEntryRow(SQLModel, table=True):
    """
    Something that was just counted, written in the commit of what it counts; the next fold takes it away.

    ``le``: the bucket of a duration; whatever is no duration has the last one. Most entries are written by triggers of the database.
    """

    __tablename__ = "tally_entries"

    id: int = number()
    name: str
    labels: list[str] = Field(sa_type=ARRAY(Text))
    value: Decimal = Field(sa_type=Numeric)
    le: float = Field(sa_type=Double, sa_column_kwargs={"server_default": text("'Infinity'")})


class TallyRow(SQLModel, table=True):
    """How many entries of this name, labels and bucket there ever were, and what their values come to."""

    __tablename__ = "tallies"

    name: str = Field(primary_key=True)
    labels: list[str] = Field(sa_type=ARRAY(Text), primary_key=True)
    le: float = Field(sa_type=Double, primary_key=True)
    count: int = Field(sa_type=BigInteger)
    total: Decimal = Field(sa_type=Numeric)
