"""Flows that behave well and badly, deployed from this module to see what a warm worker makes of them."""

from __future__ import annotations

import asyncio
import sys
import time

from prefect import flow, get_run_logger, task
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed, State

_leaked: list[bytearray] = []


class Colour(RunInput):
    colour: str


@flow
async def rest(seconds: float = 0) -> None:
    get_run_logger().info("resting for %s s", seconds)
    await asyncio.sleep(seconds)


@flow(retries=1)
async def fail() -> None:
    raise ValueError("this flow fails")


@flow(retries=1, retry_delay_seconds=30)
async def fail_patiently() -> None:
    raise ValueError("this flow fails, and tries again after half a minute")


@flow
async def leave() -> None:
    sys.exit(3)


@flow
async def block(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 - blocking the event loop is the point


@flow
async def leak(megabytes: int) -> None:
    _leaked.append(bytearray(b"x") * (megabytes * 1024 * 1024))


@flow
def rest_in_a_thread(seconds: float) -> None:
    time.sleep(seconds)


@task
async def step(number: int) -> None:
    await asyncio.sleep(0.05)


@flow
async def count(to: int) -> None:
    for number in range(to):
        await step(number)


@flow(persist_result=True)
async def ask_for_a_colour() -> State[None]:
    answer = await suspend_flow_run(wait_for_input=Colour, timeout=60)
    return Completed(message=f"the colour is {answer.colour}")
