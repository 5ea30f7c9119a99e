"""Flows that behave badly, to see what becomes of the orders beside them in the same process."""

from __future__ import annotations

import time

from prefect import flow

_leaked: list[bytearray] = []


@flow(name="benchmark-raises")
async def raises() -> None:
    """Raise."""
    raise ValueError("this flow fails on purpose")


@flow(name="benchmark-blocks")
async def blocks(seconds: float) -> None:
    """Keep the event loop from everything else for so long."""
    time.sleep(seconds)  # noqa: ASYNC251 - blocking the event loop is the point


@flow(name="benchmark-leaks")
async def leaks(megabytes: int) -> None:
    """Take memory and never give it back."""
    _leaked.append(bytearray(b"x") * (megabytes * 1024 * 1024))
