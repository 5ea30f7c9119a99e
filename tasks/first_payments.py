"""A new user's first payment: taken once, looked for when nobody knows, called off when nobody finishes it, given back when late."""

from __future__ import annotations

from prefect import task

from blocks.stripe_account import StripeAccount
from hub.effects import Effect
from hub.ledger import find_out
from hub.payments import Payment, Refund
from hub.policies import PAYMENT
from hub.signup_decisions import note_not_made
from hub.signups import Signup
from tasks.accounts import account_for
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again
from tasks.payments import call_off, give_back, pay, payment_of


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
    return await pay(_payment(signup))


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
    return await give_back(owed)


@task(
    name="expire-payment",
    task_run_name="expire first payment {signup.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def expire_first_payment(signup: Signup, owed: Effect) -> Payment:
    """Call off the payment that the new user did not finish in time; or learn that it was finished."""
    del signup  # what makes the cache key
    return await call_off(owed)


def _payment(signup: Signup) -> Effect:
    if signup.money is None or signup.payment_method is None:
        raise ValueError(f"{signup.title} asks for no payment")
    return payment_of(signup, signup.money, signup.payment_method, f"Sign-up {signup.id}")
