"""The kinds of subjects: what claims, the ledger, the inbox and the sweep have to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, bindparam, false, func, true
from sqlmodel import col, select

from hub import order_rows, release_rows, signup_rows
from hub.facets import Status
from hub.release_tables import ReleaseRow
from hub.signup_facets import StepOutcome
from hub.signup_tables import SignupRow
from hub.tables import HubIdentity, OrderRow, SubjectColumns

if TYPE_CHECKING:
    from datetime import datetime

    from hub.facts import Fact
    from hub.subjects import Moved, Subject


@dataclass(frozen=True)
class Kind:
    """
    One kind of subject.

    ``move`` takes a new fact into a row; ``facets_of`` is what a step's permission
    is asked with; ``snapshot`` makes the frozen value that a run works with; ``missing`` is the error that no such subject is there.
    ``is_walked`` tells whether the row is as far as a run brings it, so that what a run was told while it went there leaves nothing over.
    ``payment_waits``: the rows whose payment waits for the customer or the bank. ``waits_until``: when the subject is due again although
    nobody tells anything; None for one that waits as long as it takes.
    ``flow`` is the process, whose deployment is called ``<flow>/hub``, and ``parameter`` the name of the id among its parameters.
    """

    name: str
    row: type[SubjectColumns]
    flow: str
    parameter: str
    facets_of: Callable[[Any], Any]
    move: Callable[[Any, Fact], Moved]
    snapshot: Callable[..., Subject]
    missing: Callable[[str], Exception]
    payment_waits: ColumnElement[bool] = field(default_factory=false)
    is_walked: Callable[[Any], bool] = lambda _row: False
    waits_until: Callable[[Any], datetime | None] = lambda _row: None

    # Built once: SQLAlchemy takes longer to build such a statement, and to know it again, than to send it.
    @cached_property
    def locked(self) -> Any:
        """The statement that locks the row ``id`` and returns it with the database's time."""
        return select(self.row, func.clock_timestamp()).where(col(self.row.id) == bindparam("id")).with_for_update(of=self.row)

    @cached_property
    def locked_with_hub(self) -> Any:
        """The same, with the hub."""
        wanted = select(self.row, func.clock_timestamp(), HubIdentity).join(HubIdentity, true())
        return wanted.where(col(self.row.id) == bindparam("id")).with_for_update(of=self.row)


ORDER = Kind(
    name="order",
    row=OrderRow,
    flow="process-order",
    parameter="order_id",
    facets_of=order_rows.facets_of,
    move=order_rows.move,
    snapshot=order_rows.snapshot,
    missing=order_rows.NoSuchOrder,
    payment_waits=and_(col(OrderRow.status) == Status.AWAITING_PAYMENT, col(OrderRow.payment_id).is_not(None)),
    is_walked=order_rows.is_walked,
)
SIGNUP = Kind(
    name="signup",
    row=SignupRow,
    flow="register-user",
    parameter="signup_id",
    facets_of=signup_rows.facets_of,
    move=signup_rows.move,
    snapshot=signup_rows.snapshot,
    missing=signup_rows.NoSuchSignup,
    payment_waits=and_(col(SignupRow.payment) == StepOutcome.WAITS, col(SignupRow.payment_id).is_not(None)),
)
RELEASE = Kind(
    name="release",
    row=ReleaseRow,
    flow="release-service",
    parameter="release_id",
    facets_of=release_rows.facets_of,
    move=release_rows.move,
    snapshot=release_rows.snapshot,
    missing=release_rows.NoSuchRelease,
    waits_until=release_rows.waits_until,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in (ORDER, SIGNUP, RELEASE)}
_BY_ROW = {kind.row: kind for kind in KINDS.values()}


def kind_of(row: SubjectColumns) -> Kind:
    """Return what kind of subject the row is of."""
    return _BY_ROW[type(row)]
