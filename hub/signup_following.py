"""What a provider's news makes necessary for a sign-up: late money goes back, a text follows. Intended in the commit of the news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.beginning import intend_once
from hub.facets import HoldFacet
from hub.facts import Fact, MessageMoved, PaymentSettled
from hub.falling_back import fall_back
from hub.message_facts import Delivery
from hub.payments import RefundRequest
from hub.signup_tables import SignupRow
from hub.signups import Signup
from hub.subject_rows import as_it_is, database_now
from hub.tables import EffectRow

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


async def follow_signup(session: AsyncSession, row: SignupRow, effect: EffectRow | None, fact: Fact) -> None:
    """Make what the new fact makes necessary due: a payment for a profile that is removed, or being removed, goes back."""
    match fact:
        case PaymentSettled() if row.hold != HoldFacet.NONE:
            await _give_back(session, row, fact)
        case MessageMoved(delivery=Delivery.FAILED) if effect is not None:
            await fall_back(session, row, effect.step)
        case _:
            pass


async def _give_back(session: AsyncSession, row: SignupRow, fact: PaymentSettled) -> None:
    signup: Signup = await as_it_is(session, row)
    refund = RefundRequest(payment_id=fact.payment_id, amount=fact.amount, currency=fact.currency, metadata=signup.reference)
    await intend_once(session, signup.effect("refund", refund))
    row.resume_at = await database_now(session)
