"""One process of several that pay orders: ``python -m tests.contract.payers STRIPE_URL ORDER …``; it begins at a line of input."""

from __future__ import annotations

import asyncio
import sys

from blocks.stripe_account import StripeAccount
from hub.ledger import once
from hub.stock import reserve
from tests.contract.ledger_kit import STRIPE_KEY, payment_effect, run


async def pay_all(stripe_url: str, orders: list[str]) -> None:
    """Every order is paid, by a run of its own."""
    stripe = StripeAccount(api_key=STRIPE_KEY, base_url=stripe_url, timeout_seconds=20)

    async def pay(order_id: str) -> None:
        async with run(order_id) as order:
            await reserve(order)
            await once(payment_effect(order), terms=stripe.terms, call=stripe.take_payment, find=stripe.find_payment)

    await asyncio.gather(*(pay(order_id) for order_id in orders))


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(pay_all(sys.argv[1], sys.argv[2:]))
