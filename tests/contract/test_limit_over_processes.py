"""A limited provider gets from all processes together what it allows, never more; whether it gets not much less, ``make outage`` looks."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from hub.gate_views import limit
from tests.contract.ledger_kit import Shop, placed

ROOT = Path(__file__).parents[2]
PROCESSES, ORDERS, RATE, BURST = 3, 60, 10.0, 5
PATIENT = {"HUB_WAIT_IN_PLACE_SECONDS": "60", "HUB_SEND_WINDOW_SECONDS": "60", "HUB_LEASE_SECONDS": "60"}


async def test_three_processes_together_keep_the_limit(shop: Shop) -> None:
    await limit("stripe", RATE, BURST)
    orders = [await placed() for _ in range(ORDERS)]

    payers = [await a_payer(shop, orders[number::PROCESSES]) for number in range(PROCESSES)]
    for payer in payers:
        assert payer.stdin is not None
        payer.stdin.write(b"\n")
    assert [await payer.wait() for payer in payers] == [0] * PROCESSES

    at = sorted(float(request["at"]) for request in await shop.sandbox.requests("stripe", "create payment"))
    assert len(at) == ORDERS, "nobody burnt an attempt"
    assert max(sum(begin <= moment < begin + 1 for moment in at) for begin in at) <= BURST + RATE
    assert (ORDERS - BURST) / (at[-1] - at[0]) <= 1.1 * RATE
    assert await shop.sandbox.count("stripe", "charge") == ORDERS


async def a_payer(shop: Shop, orders: list[str]) -> asyncio.subprocess.Process:
    """A process that is ready to pay the orders, and begins at a line of input."""
    payer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.payers", f"{shop.sandbox.url}/stripe", *orders),
        cwd=ROOT,
        env={**os.environ, **PATIENT},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert payer.stdout is not None
    assert await payer.stdout.readline() == b"ready\n"
    return payer
