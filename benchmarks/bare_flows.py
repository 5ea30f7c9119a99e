"""What Prefect and our worker cost when a flow does nothing: the ceiling for everything that runs as a flow run of its own."""

from __future__ import annotations

import asyncio

from prefect import flow, task
from prefect.cache_policies import INPUTS, RUN_ID


@task(persist_result=True, cache_policy=RUN_ID + INPUTS)
async def step(number: int) -> int:
    """Do nothing, with a result that is kept, as the steps of an order have one."""
    return number


@flow(name="benchmark-empty", persist_result=True)
async def empty(order_id: str) -> str:
    """Do nothing."""
    return order_id


@flow(name="benchmark-six-tasks", persist_result=True)
async def six_tasks(order_id: str) -> str:
    """Do nothing six times, in the shape of an order: four steps after each other, two side by side."""
    for number in range(4):
        await step(number)
    await asyncio.gather(step(4), step(5))
    return order_id
