"""Goods set aside before anything is charged, and put back when it comes to nothing."""

from __future__ import annotations

from prefect import task

from hub import stock
from hub.orders import Order
from hub.policies import INTERNAL
from hub.stock import Reservation
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_another_transaction


@straight
@task(
    name="reserve-stock",
    task_run_name="reserve stock {order.id}",
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_another_transaction,
    **INTERNAL.task_options(),
)
async def reserve_stock(order: Order) -> Reservation:
    """Set the order's goods aside, all or none."""
    return await stock.reserve(order)


@straight
@task(
    name="release-stock",
    task_run_name="release stock {order.id}",
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_another_transaction,
    **INTERNAL.task_options(),
)
async def release_stock(order: Order) -> None:
    """Put the order's goods back on the shelf."""
    await stock.release(order)
