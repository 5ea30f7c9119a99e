"""A new user's first payment: taken once, looked for when nobody knows, and given back when it comes too late."""

from __future__ import annotations

from prefect import task

from blocks.stripe_account import StripeAccount
from hub.effects import Effect
from hub.ledger import find_out, once
from hub.payments import Payment, PaymentRequest, Refund
from hub.policies import PAYMENT
from hub.settings import settings
from hub.signup_decisions import note_not_made
from hub.signups import Signup
from tasks.accounts import account_for
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@task(
    name="payment",
    task_run_name="take first payment {signup.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def take_first_payment(signup: Signup) -> Payment:
    """Charge the new user once, whatever dies in between."""
    effect = _payment(signup)
    stripe = await account_for(effect, StripeAccount)
    return await once(effect, terms=stripe.terms, call=stripe.take_payment, find=stripe.find_payment)


@task(
    name="find-payment",
    task_run_name="look for first payment {signup.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def find_first_payment(signup: Signup) -> Payment | None:
    """Learn what came of a payment that nobody knew of when it was reported. None: it was not made, and it is not made later."""
    effect = _payment(signup)
    stripe = await account_for(effect, StripeAccount)
    payment = await find_out(effect, terms=stripe.terms, find=stripe.find_payment)
    if payment is None:
        await note_not_made(signup)
    return payment


@task(
    name="refund",
    task_run_name="refund late money {signup.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def refund_late_payment(signup: Signup, owed: Effect) -> Refund:
    """Give back what was paid for a sign-up that had been undone."""
    del signup  # what makes the cache key
    stripe = await account_for(owed, StripeAccount)
    return await once(owed, terms=stripe.terms, call=stripe.refund_payment, find=stripe.find_refund)


def _payment(signup: Signup) -> Effect:
    if signup.money is None or signup.payment_method is None:
        raise ValueError(f"{signup.title} asks for no payment")
    request = PaymentRequest(
        amount=signup.money.amount,
        currency=signup.money.currency,
        payment_method=signup.payment_method,
        description=f"Sign-up {signup.id}",
        metadata=signup.reference,
        return_url=settings().return_url,
    )
    return signup.effect("payment", request)
