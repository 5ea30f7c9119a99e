"""The customer's money: taken once, and given back once."""

from __future__ import annotations

from prefect import task

from blocks.stripe_account import StripeAccount
from hub.decisions import LOOK_AGAIN_SECONDS, begin_undo, look_again
from hub.effects import Effect, Parked
from hub.errors import Refused
from hub.ledger import find_out, once
from hub.money import Money
from hub.orders import Order
from hub.payments import CancelRequest, Payment, PaymentRequest, PaymentStatus, Refund, RefundStatus
from hub.policies import PAYMENT
from hub.settings import settings
from hub.subjects import Subject
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
    return await pay(payment_of(order, order.money, order.payment_method, f"Order {order.id}"))


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
    return await call_off(order.effect(f"cancel-payment.{order.attempt}", CancelRequest(payment_id=payment_id)))


@straight
@task(
    name="stop-payment",
    task_run_name="stop payment {order.id}",
    tags=["stripe"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **PAYMENT.task_options(),
)
async def stop_payment(order: Order) -> None:
    """
    Make sure that an order which is being undone takes no money any more; what it has taken is known afterwards.

    Raises:
        Parked: The bank is at it, and nobody can call it off now.
    """
    payment = payment_of(order, order.money, order.payment_method, f"Order {order.id}")
    stripe = await account_for(payment, StripeAccount)
    try:
        found = await find_out(payment, terms=stripe.terms, find=stripe.find_payment)
    except Refused as refusal:
        if refusal.reference is not None:  # the customer could still finish it with another card
            await call_off(order.effect("stop-payment", CancelRequest(payment_id=refusal.reference)))
        return
    if found is None or found.status is PaymentStatus.SUCCEEDED:
        return
    stopped = await call_off(order.effect("stop-payment", CancelRequest(payment_id=found.payment_id)))
    if stopped.status is found.status is PaymentStatus.PROCESSING:
        raise Parked(LOOK_AGAIN_SECONDS * settings().time_scale, "the bank is processing the payment")


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
async def refund_payment(order: Order, because: str) -> Refund | None:
    """Give back what is left of the payment, once; the intention is committed together with the decision to undo the order."""
    rest = await begin_undo(order, because)
    return None if rest is None else await give_back(rest)


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
async def refund_as_asked(order: Order, owed: Effect) -> Refund:
    """Give back what a person has asked for, once."""
    refund = await give_back(owed)
    if refund.status is RefundStatus.PENDING:
        await look_again(order, owed)
    return refund


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
    return await give_back(owed)


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
    return await call_off(owed)


def payment_of(subject: Subject, money: Money, payment_method: str, description: str) -> Effect:
    """Return the payment that the subject asks for, complete as the provider gets it."""
    request = PaymentRequest(
        amount=money.amount,
        currency=money.currency,
        payment_method=payment_method,
        description=description,
        metadata=subject.reference,
        return_url=settings().return_url,
    )
    return subject.effect("payment", request)


async def pay(payment: Effect) -> Payment:
    """Take the money once; what nobody knows of is looked for."""
    stripe = await account_for(payment, StripeAccount)
    return await once(payment, terms=stripe.terms, call=stripe.take_payment, find=stripe.find_payment)


async def give_back(refund: Effect) -> Refund:
    """Give the money back once; what nobody knows of is looked for."""
    stripe = await account_for(refund, StripeAccount)
    return await once(refund, terms=stripe.terms, call=stripe.refund_payment, find=stripe.find_refund)


async def call_off(cancellation: Effect) -> Payment:
    """Cancel a payment that has not succeeded; or learn that it has."""
    stripe = await account_for(cancellation, StripeAccount)
    return await once(cancellation, terms=stripe.terms, call=stripe.cancel_payment)
