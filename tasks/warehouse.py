"""The warehouse: told once what to pack, and told to keep it back when nobody wants it any more; and the carrier that comes for it."""

from __future__ import annotations

from prefect import task

from blocks.shippo_account import ShippoAccount
from blocks.warehouse import Warehouse
from hub.effects import Effect
from hub.fulfilling import cancellation_of, pick_ticket
from hub.ledger import find_out, once
from hub.orders import Order
from hub.parcels import Label, Pickup
from hub.pick_tickets import TakenTicket
from hub.policies import EXTERNAL
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="pick-ticket",
    task_run_name="send pick ticket {order.id}",
    tags=["warehouse"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def send_pick_ticket(order: Order, label: Label) -> TakenTicket:
    """Tell the warehouse what to pack, once."""
    ticket = pick_ticket(order, label)
    warehouse = await account_for(ticket, Warehouse)
    return await once(ticket, terms=warehouse.terms, call=warehouse.send_pick_ticket, find=warehouse.find_pick_ticket)


@straight
@task(
    name="cancel-pick-ticket",
    task_run_name="cancel pick ticket {order.id}",
    tags=["warehouse"],
    persist_result=False,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def cancel_pick_ticket(order: Order, ticket: Effect) -> None:
    """Tell the warehouse to keep the parcel back, if it was ever told of it; ``Refused`` when it cannot."""
    warehouse = await account_for(ticket, Warehouse)
    taken = await find_out(ticket, terms=warehouse.terms, find=warehouse.find_pick_ticket)
    if taken is not None:
        await once(cancellation_of(order, taken), terms=warehouse.terms, call=warehouse.cancel_pick_ticket)


@straight
@task(
    name="pickup",
    task_run_name="schedule pick-up {order.id}",
    tags=["shippo"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def schedule_pickup(order: Order, owed: Effect) -> Pickup:
    """Have the carrier come for the packed parcel."""
    del order  # what makes the cache key
    shippo = await account_for(owed, ShippoAccount)
    return await once(owed, terms=shippo.terms, call=shippo.schedule_pickup)
