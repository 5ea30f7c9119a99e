"""Money that goes back at a person's word: all or part of what was paid, once per refund id, and never more than was paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints
from sqlmodel import col, select

from hub.approvals import mention, needs_approval, open_approval, waiting_amount
from hub.beginning import intend_once
from hub.composing import compose
from hub.database import transaction
from hub.facets import DisputeFacet, HoldFacet, PaymentFacet, rank
from hub.facts import RefundAsked
from hub.incoming import ID_WORDS, LARGEST_AMOUNT, SUBJECT_ID, Incoming, Text
from hub.money import Money
from hub.notification_types import APPROVAL_ASKED, APPROVAL_DECLINED, MONEY_BACK
from hub.order_rows import facets_of, is_handed_over
from hub.payments import RefundRequest
from hub.stock import put_on_the_shelf
from hub.subject_rows import as_it_is, database_now, locked, record, take_up_again
from hub.tables import FactRow, OrderRow
from hub.team_threads import compose_reply
from hub.undoing import REFUND, plan_undo, promised

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from hub.notification_model import NotificationType
    from hub.orders import Order

RefundId = Annotated[str, StringConstraints(pattern=SUBJECT_ID), Field(description=ID_WORDS, examples=["r-1"])]
NO_REASON = "no reason given"


class RefundTerms(Incoming):
    """What is to go back, and why. Without ``amount``, all that is left; ``reason`` is for the team and says nothing personal."""

    amount: Annotated[int, Field(strict=True, ge=1, le=LARGEST_AMOUNT)] | None = Field(
        default=None, description="In minor units (1250 is 12.50 USD); without it, all that has not gone back yet."
    )
    reason: Text = Field(default=NO_REASON, description="For the team; nothing personal belongs here.")
    restock: bool = Field(default=False, description="The goods came back: put all of the order's on the shelf, whatever the amount.")


class NotRefundable(Exception):
    """Nothing of this order's payment can be given back now; ``why`` says so, and what to do instead."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(order_id, why)
        self.order_id, self.why = order_id, why

    def __str__(self) -> str:
        return f"order {self.order_id} takes no such refund: {self.why}"


class RefundDiffers(Exception):
    """The refund id is taken by a refund with another amount or reason."""

    def __init__(self, order_id: str, refund_id: str) -> None:
        super().__init__(order_id, refund_id)
        self.order_id, self.refund_id = order_id, refund_id

    def __str__(self) -> str:
        return f"order {self.order_id} has a refund {self.refund_id} with another amount or reason; use another id for another refund"


async def ask_refund(order_id: str, refund_id: str, terms: RefundTerms, *, by: str) -> RefundAsked:
    """
    Keep the wish and intend the refund, in one commit; the order's next run makes it. The same wish again changes nothing.

    Above ``HUB_REFUND_ASKS_ABOVE`` a person has to approve first; the amount is kept back for it until then.

    Everything is decided under the order's lock, so that refunds which come at once never add up to more than was paid.

    Raises:
        NoSuchOrder: It does not exist.
        RefundDiffers: The id belongs to another refund of the order.
        NotRefundable: Nothing was paid, there is not so much left, or the order's state does not allow it.
    """
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        return await ask(session, row, refund_id, terms, by=by)


async def ask(
    session: AsyncSession, row: OrderRow, refund_id: str, terms: RefundTerms, *, by: str, whatever_amount: bool = False
) -> RefundAsked:
    """
    Keep the wish for a refund of the locked order; ``whatever_amount``: somebody has to approve, however little it is.

    Raises like ``ask_refund``, before anything is written.
    """
    if (known := await asked_before(session, row.id, refund_id)) is not None:
        if (known.asked, known.reason, known.restock) != (terms.amount, terms.reason, terms.restock):
            raise RefundDiffers(row.id, refund_id)
        return known
    if (why := _why_not(row, restock=terms.restock)) is not None:
        raise NotRefundable(row.id, why)
    left = row.amount - await promised(session, row) - await waiting_amount(session, row)
    amount = terms.amount or left
    if not 1 <= amount <= left:
        paid, rest = Money(amount=row.amount, currency=row.currency), Money(amount=left, currency=row.currency)
        raise NotRefundable(row.id, f"of the {paid} that were paid, {rest} are left; the rest has gone back, or is promised")
    asked = RefundAsked(
        refund_id=refund_id,
        amount=amount,
        currency=row.currency,
        asked=terms.amount,
        reason=terms.reason,
        restock=terms.restock,
        by=by,
    )
    await record(session, row, asked, source="person")
    if whatever_amount or needs_approval(amount):
        await _ask_for_approval(session, row, asked)
    else:
        await grant(session, row, asked)
    return asked


async def grant(session: AsyncSession, row: OrderRow, asked: RefundAsked) -> None:
    """
    Intend the refund of the locked order, and what follows from it; the next run makes it.

    Nobody ships what was given back in full: an order that the carrier does not have yet is undone. Else the customer is told of the money.
    """
    order: Order = await as_it_is(session, row)
    request = RefundRequest(payment_id=row.payment_id or "", amount=asked.amount, currency=row.currency, metadata=order.reference)
    await intend_once(session, order.effect(f"{REFUND}.{asked.refund_id}", request))
    if await promised(session, row) >= row.amount and not is_handed_over(row):
        await plan_undo(session, row, order, f"refunded in full: {asked.reason}", source="person", by=asked.by)
    else:
        money = Money(amount=asked.amount, currency=asked.currency)
        await intend_once(session, order.effect(f"{MONEY_BACK.step}.{asked.refund_id}", compose(MONEY_BACK, order, amount=money)))
    if asked.restock and is_handed_over(row):
        await put_on_the_shelf(session, row)
    take_up_again(row, await database_now(session))


async def decline(session: AsyncSession, row: OrderRow, asked: RefundAsked, why: str) -> None:
    """Let the team know that the refund of the locked order is not given; the next run tells them."""
    await _tell_team(session, row, APPROVAL_DECLINED, asked, why=why)


async def _ask_for_approval(session: AsyncSession, row: OrderRow, asked: RefundAsked) -> None:
    approval = await open_approval(session, row, asked, await database_now(session))
    await _tell_team(session, row, APPROVAL_ASKED, asked, until=f"{approval.expires_at:%Y-%m-%d %H:%M} UTC")


async def _tell_team(session: AsyncSession, row: OrderRow, what: NotificationType, asked: RefundAsked, **words: str) -> None:
    order: Order = await as_it_is(session, row)
    money = Money(amount=asked.amount, currency=asked.currency)
    message = await compose_reply(session, what, order, refund=asked, amount=money, who=mention(asked.by), **words)
    await intend_once(session, order.effect(f"{what.step}.{asked.refund_id}", message))
    row.epoch, row.resume_at = row.epoch + 1, await database_now(session)


def _why_not(row: OrderRow, *, restock: bool) -> str | None:
    facets = facets_of(row)
    if facets.dispute in (DisputeFacet.OPEN, DisputeFacet.LOST):
        return "the customer's bank decides about its payment; what is given back now may be lost twice"
    if rank(facets.payment) < rank(PaymentFacet.PAID):
        return f"it is {row.status}, and nothing was paid; cancel it instead"
    if facets.payment is PaymentFacet.REFUNDED:
        return "its whole payment has gone back"
    if facets.hold is not HoldFacet.NONE:
        return f"it is {row.status}: its whole payment goes back"
    if restock and not is_handed_over(row):
        return f"it is {row.status}, and its goods are still to leave; undone, they come back to the shelf by themselves"
    return None


async def refund_asked(session: AsyncSession, order_id: str, refund_id: str) -> RefundAsked:
    """Return what was asked for under this id. Raises ``ValueError`` when nobody has asked."""
    asked = await asked_before(session, order_id, refund_id)
    if asked is None:
        raise ValueError(f"order {order_id} has no refund {refund_id}")
    return asked


async def asked_before(session: AsyncSession, order_id: str, refund_id: str) -> RefundAsked | None:
    """Return what was asked for under this id, or None when nobody has asked."""
    mine = (col(FactRow.subject_kind) == "order", col(FactRow.subject_id) == order_id, col(FactRow.identity) == refund_id)
    kind = RefundAsked.model_fields["kind"].default
    data = (await session.exec(select(col(FactRow.data)).where(*mine, col(FactRow.kind) == kind))).one_or_none()
    return None if data is None else RefundAsked.model_validate(data)
