"""A new user, from the sign-up to the report of what happened."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from hub.errors import ProviderError
from hub.facets import HoldFacet
from hub.owed import owed_effects
from hub.signup_decisions import finish_removal
from hub.signup_facets import Critical, StepOutcome
from hub.signups import Signup, SignupId, SignupRequest, SignupResult
from tasks.claiming import enrolled
from tasks.courtesies import courtesies
from tasks.first_payments import expire_first_payment, find_first_payment, refund_late_payment, take_first_payment
from tasks.greeting import mail_bulletin, mail_payment_confirmation, mail_welcome, text_verification
from tasks.profiles import create_profile, remove_profile
from tasks.team import OWED_TO_TEAM, call_attention
from tasks.texting import text_instead
from tasks.timeline import publish_timeline
from tasks.trying import park_if_unfinished, record_signup, side_by_side, tried

FOR_GOOD = (StepOutcome.REFUSED, StepOutcome.UNAVAILABLE, StepOutcome.NOT_MADE)


@flow(name="register-user", flow_run_name="sign-up {signup_id}", persist_result=True, on_completion=[publish_timeline])
async def register_user(
    signup_id: SignupId,
    signup: SignupRequest | None = None,
    critical: Annotated[
        tuple[Critical, ...] | None, Field(description="Steps without which the sign-up fails; profile always is one.")
    ] = None,
) -> SignupResult:
    """
    Make a new user known, take the first payment, greet, and report exactly what happened.

    What fails is reported and holds nothing else up, unless it is critical. Safe to start again at any time: what was done is not done
    twice, and what became due since is done now.

    Args:
        signup_id: Letters, digits, dot, underscore and dash; at most 64.
        signup: The whole sign-up, when it was not placed through the gateway before. Prefect stores what is typed here.
        critical: Only with ``signup``. With ``payment`` in it, a payment that fails takes the profile back.
    """
    async with enrolled(signup_id, signup, critical) as held:
        await go_on(held.subject)
    return await held.ending()  # type: ignore[return-value]  # Prefect takes the result out of the state


async def go_on(signup: Signup) -> None:
    """Do what is due of the sign-up now, and record what came of it."""
    if signup.rests:
        return
    await pay_debts(signup)
    if signup.attention is not None:
        await courtesies(attention=call_attention(signup))
        return
    try:
        if signup.facets.hold is HoldFacet.UNDOING:
            await undo(signup)
        elif signup.facets.hold is HoldFacet.NONE:
            await register(signup)
    except ProviderError:
        await record_signup(signup)
        raise
    park_if_unfinished(await record_signup(signup))


async def pay_debts(signup: Signup) -> None:
    """Do what is owed: give late money back, call an unfinished payment off, text where a mail bounced, send a bulletin."""
    for owed in await owed_effects(signup):
        match owed.what.name:
            case "refund":
                await refund_late_payment(signup, owed)
            case "expire-payment":
                await expire_first_payment(signup, owed)
            case "text":
                await courtesies(text=text_instead(signup, owed))
            case "bulletin":
                await courtesies(bulletin=mail_bulletin(signup, owed))
            case step if step in OWED_TO_TEAM:
                await courtesies(team=OWED_TO_TEAM[step](signup, owed))


async def register(signup: Signup) -> None:
    """Profile, payment, greetings; without a profile nothing is charged and nobody is greeted."""
    if await tried(signup, "profile", create_profile) is not StepOutcome.OK:
        return
    looked_for = signup.facets.payment is StepOutcome.UNKNOWN
    paid = await tried(signup, "payment", find_first_payment if looked_for else take_first_payment)
    if "payment" in signup.critical and paid not in (StepOutcome.OK, StepOutcome.NOT_ASKED):
        if paid in FOR_GOOD:
            await undo(signup)
        return
    greetings = [tried(signup, "welcome", mail_welcome), tried(signup, "verification", text_verification)]
    if paid is StepOutcome.OK:
        greetings.append(tried(signup, "confirmation", mail_payment_confirmation))
    await side_by_side(*greetings)


async def undo(signup: Signup) -> None:
    """Remove the profile again; safe to repeat until it is done."""
    await remove_profile(signup, "the payment failed")
    await finish_removal(signup)
