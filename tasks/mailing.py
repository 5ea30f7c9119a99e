"""What the customer reads."""

from __future__ import annotations

from prefect import task

from blocks.sendgrid_account import SendGridAccount
from hub.ledger import once
from hub.letters import letter
from hub.messages import SentMail
from hub.orders import Order
from hub.parcels import Label
from hub.policies import NOTIFICATION
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="mail",
    task_run_name="mail confirmation {order.id}",
    tags=["sendgrid"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def mail_confirmation(order: Order, label: Label) -> SentMail:
    """Tell the customer that the order is confirmed and how to follow it."""
    mail = letter("order_confirmed", f"Your order {order.id} is confirmed", order, tracking_number=label.tracking_number)
    effect = order.effect("mail", mail)
    sendgrid = await account_for(effect, SendGridAccount)
    return await once(effect, terms=sendgrid.terms, call=sendgrid.send_mail)


@straight
@task(
    name="refund-mail",
    task_run_name="mail refund {order.id}",
    tags=["sendgrid"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def mail_refund(order: Order) -> SentMail:
    """Tell the customer that the order was cancelled and the money goes back."""
    mail = letter("order_refunded", f"Your order {order.id} was cancelled and refunded", order)
    effect = order.effect("refund-mail", mail)
    sendgrid = await account_for(effect, SendGridAccount)
    return await once(effect, terms=sendgrid.terms, call=sendgrid.send_mail)


@straight
@task(
    name="delivered-mail",
    task_run_name="mail delivery {order.id}",
    tags=["sendgrid"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def mail_delivery(order: Order) -> SentMail:
    """Tell the customer that the carrier has delivered the parcel."""
    mail = letter("order_delivered", f"Your order {order.id} has arrived", order)
    effect = order.effect("delivered-mail", mail)
    sendgrid = await account_for(effect, SendGridAccount)
    return await once(effect, terms=sendgrid.terms, call=sendgrid.send_mail)
