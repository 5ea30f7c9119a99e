"""The customer's money: taken once, and given back once."""

from __future__ import annotations

from prefect import task

from blocks.stripe_account import StripeAccount
from hub.decisions import begin_undo
from hub.effects import Effect
from hub.ledger import once
from hub.orders import Order
from hub.payments import CancelRequest, Payment, PaymentRequest, Refund
from hub.policies import PAYMENT
from hub.settings import settings
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="payment",
    task_run_name="take payment {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def take_payment(order: Order) -> Payment:
    """Charge the order once, whatever dies in between."""
    request = PaymentRequest(
        amount=order.money.amount,
        currency=order.money.currency,
        payment_method=order.payment_method,
        description=f"Order {order.id}",
        metadata=order.reference,
        return_url=settings().return_url,
    )
    effect = order.effect("payment", request)
    stripe = await account_for(effect, StripeAccount)
    return await once(effect, terms=stripe.terms, call=stripe.take_payment, find=stripe.find_payment)


@straight
@task(
    name="cancel-payment",
    task_run_name="cancel earlier payment {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def cancel_earlier_payment(order: Order, payment_id: str) -> Payment:
    """Make sure that the payment of the attempt before takes no money any more; or learn that it has."""
    request = CancelRequest(payment_id=payment_id)
    effect = order.effect(f"cancel-payment.{order.attempt}", request)
    stripe = await account_for(effect, StripeAccount)
    return await once(effect, terms=stripe.terms, call=stripe.cancel_payment)


@straight
@task(
    name="refund",
    task_run_name="refund {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def refund_payment(order: Order, because: str) -> Refund:
    """Give the whole payment back once; the intention is committed together with the decision to undo the order."""
    refund = await begin_undo(order, because)
    stripe = await account_for(refund, StripeAccount)
    return await once(refund, terms=stripe.terms, call=stripe.refund_payment, find=stripe.find_refund)


@straight
@task(
    name="late-refund",
    task_run_name="refund late money {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def refund_late_money(order: Order, owed: Effect) -> Refund:
    """Give back what was paid for an attempt that the order had left behind."""
    del order  # what makes the cache key
    stripe = await account_for(owed, StripeAccount)
    return await once(owed, terms=stripe.terms, call=stripe.refund_payment, find=stripe.find_refund)


@straight
@task(
    name="expire-payment",
    task_run_name="expire payment {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def expire_payment(order: Order, owed: Effect) -> Payment:
    """Call off the payment that the customer did not finish in time; or learn that it was finished."""
    del order  # what makes the cache key
    stripe = await account_for(owed, StripeAccount)
    return await once(owed, terms=stripe.terms, call=stripe.cancel_payment)
