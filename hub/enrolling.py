"""Sign-ups come in here, whichever door they use: one per mail address, kept once, compared when they come again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.erasing import is_erased
from hub.facets import HoldFacet
from hub.incoming import differences
from hub.intake import REHEARSAL_CARD, NothingToResume
from hub.notification_types import PAYMENT_CONFIRMATION, VERIFICATION, WELCOME
from hub.signup_facets import LENIENT, Critical, SignupStatus, StepOutcome
from hub.signup_rows import facets_of, write_facets
from hub.signup_tables import SignupRow
from hub.signups import CREDIT_CARD, SignupRequest
from hub.subject_rows import NEW, locked, taken_up
from hub.tables import HubIdentity

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlmodel.ext.asyncio.session import AsyncSession


class SignupDiffers(Exception):
    """The id or the mail address is taken by a sign-up with other content. ``paths`` says where they differ, without values."""

    def __init__(self, signup_id: str, paths: list[str]) -> None:
        super().__init__(signup_id, paths)
        self.signup_id, self.paths = signup_id, paths

    def __str__(self) -> str:
        return (
            f"sign-up {self.signup_id} or its mail address is taken by a sign-up with other content; it differs in {', '.join(self.paths)}"
        )


class AliasInLiveMode(Exception):
    """A hub with live accounts charges a token and no alias."""

    def __str__(self) -> str:
        return f"initialPayment.paymentMethod: {CREDIT_CARD} is for rehearsals; this hub works with live accounts and takes a token"


@dataclass(frozen=True)
class Enrolled:
    """``signup_id`` is that of the sign-up which the mail address has; ``new`` is False when it had come before."""

    signup_id: str
    new: bool


async def enrol(signup_id: str, request: SignupRequest, *, critical: Collection[Critical] | None = None) -> Enrolled:
    """
    Keep the sign-up, due at once; the same mail address with the same content is the same sign-up, whatever id it comes with.

    One that failed because the profile service could not be reached begins again: whoever sends it again asks for that.

    Raises:
        SignupDiffers: The id or the mail address belongs to a sign-up with other content, or with other critical steps.
        AliasInLiveMode: Live accounts, and the rehearsal's card.
    """
    async with transaction() as session:
        mode, now = (await session.exec(select(col(HubIdentity.mode), func.clock_timestamp()))).one()
        payment = request.initial_payment
        if payment is not None and payment.payment_method == CREDIT_CARD and mode == "live":
            raise AliasInLiveMode
        new = {**_columns(request), "critical": _sorted(critical or LENIENT)}
        added = await session.exec(
            insert(SignupRow)
            .values(id=signup_id, correlation_id=uuid4().hex, resume_at=now, **new)
            .on_conflict_do_nothing()
            .returning(col(SignupRow.id))
        )
        if added.scalar_one_or_none() is not None:
            return Enrolled(signup_id, new=True)
        taken = select(SignupRow).where(or_(col(SignupRow.id) == signup_id, col(SignupRow.email) == request.email))
        rows = list(await session.exec(taken))
        known = next((row for row in rows if row.email == request.email), rows[0])
        paths = differences(known.request, new["request"])
        if critical is not None and _sorted(critical) != known.critical:
            paths.append("critical")
        if len(rows) > 1:
            paths = [*paths, "id"]  # the id is one sign-up's, the mail address another's
        if paths:
            raise SignupDiffers(signup_id, paths)
    if known.status == SignupStatus.FAILED and known.profile == StepOutcome.UNAVAILABLE:
        await _begin_again(known.id)
    return Enrolled(known.id, new=False)


async def go_on_with(signup_id: str, *, by: str | None = None) -> None:
    """
    Let a sign-up go on now, at the word of ``by``: one that needs attention, waits, or failed because there was no profile service.

    Raises:
        NoSuchSignup: It does not exist.
        NothingToResume: It waits for nothing of ours.
    """
    if not await _begin_again(signup_id, by):
        async with transaction() as session:
            row, now = await locked(session, signup_id, "signup")
            if row.attention is None and row.resume_at is None:
                raise NothingToResume(signup_id, row.status, "sign-up")
            await resume(session, row, now, by)


async def resume(session: AsyncSession, row: SignupRow, now: datetime, by: str | None) -> None:
    """Let the locked sign-up go on at the word of ``by``: nobody has to look at it any more."""
    row.attention = None
    await taken_up(session, row, now, by)
    write_facets(row, facets_of(row))


async def _begin_again(signup_id: str, by: str | None = None) -> bool:
    """Set back what surely was not done, and return True; False when there is no such thing. Only somebody's wish does that."""
    async with transaction() as session:
        row, now = await locked(session, signup_id, "signup")
        if row.profile != StepOutcome.UNAVAILABLE or row.resume_at is not None or is_erased(row.request):
            return False
        again = {"profile": StepOutcome.OPEN, "records": StepOutcome.OPEN}
        write_facets(row, facets_of(row).model_copy(update=again))
        await taken_up(session, row, now, by)
        return True


def _columns(request: SignupRequest) -> dict[str, object]:
    """Return a new sign-up's columns: what was asked for is open, the rest is not asked for."""
    payment, recipient = request.initial_payment, request.recipient
    method = payment.payment_method if payment else None

    def asked(wanted: bool) -> StepOutcome:
        return StepOutcome.OPEN if wanted else StepOutcome.NOT_ASKED

    return {
        "request": request.as_stored(),
        "email": request.email,
        "amount": payment.money.amount if payment else None,
        "currency": payment.currency if payment else None,
        "payment_method": REHEARSAL_CARD if method == CREDIT_CARD else method,
        "profile": StepOutcome.OPEN,
        "payment": asked(payment is not None),
        "welcome": asked(WELCOME.suits(recipient)),
        "confirmation": asked(payment is not None and PAYMENT_CONFIRMATION.suits(recipient)),
        "verification": asked(VERIFICATION.suits(recipient)),
        "records": StepOutcome.OPEN,
        "hold": HoldFacet.NONE,
        "codes": {},
        "notifications": {},
        "status": SignupStatus.IN_PROGRESS,
        "message": "in progress",
        **NEW,
    }


def _sorted(critical: Collection[Critical]) -> list[Critical]:
    """Return the critical steps in one order; without a profile there is no sign-up, so that is always one."""
    return [step for step in ("profile", "payment") if step == "profile" or step in critical]
