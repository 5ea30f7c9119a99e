"""The parcel: what sending it costs, and its label, bought once and given back once."""

from __future__ import annotations

from prefect import task

from blocks.shippo_account import ShippoAccount
from hub.labels import buy_best, label_effects, parcel_reference
from hub.ledger import once
from hub.orders import Order
from hub.parcels import Address, Label, Quote, QuoteRequest
from hub.policies import EXTERNAL
from hub.settings import settings
from hub.voiding import give_labels_back, labels_of
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="quote",
    task_run_name="quote parcel {order.id}",
    tags=["shippo"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def quote_parcel(order: Order) -> Quote:
    """Ask what sending the order costs; the first answer is kept, so a rerun buys what was chosen then."""
    customer, shipping = order.request.customer, order.request.shipping
    recipient = Address(name=customer.name, email=customer.email, phone=customer.phone, **shipping.model_dump())
    request = QuoteRequest(
        sender=settings().warehouse, recipient=recipient, parcel=settings().parcel, reference=parcel_reference(order, "quote")
    )
    effect = order.effect("quote", request)
    shippo = await account_for(effect, ShippoAccount)
    return await once(effect, terms=shippo.terms, call=shippo.quote)


@straight
@task(
    name="label",
    task_run_name="buy label {order.id}",
    tags=["shippo"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def buy_label(order: Order, quote: Quote) -> Label:
    """Buy the cheapest label of the quote that a carrier sells us, once."""
    shippo = await account_for(label_effects(order, quote)[0], ShippoAccount)
    return await buy_best(order, quote, terms=shippo.terms, call=shippo.buy_label, find=shippo.find_label)


@straight
@task(
    name="void",
    task_run_name="give labels back {order.id}",
    tags=["shippo"],
    persist_result=False,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def void_labels(order: Order) -> None:
    """Give back what the order has of labels and does not use; ``Refused`` when a carrier does not take one back."""
    if not (labels := await labels_of(order)):
        return
    shippo = await account_for(labels[0], ShippoAccount)
    await give_labels_back(
        order, labels, terms=shippo.terms, find_label=shippo.find_label, void=shippo.void_label, find_void=shippo.find_void
    )
