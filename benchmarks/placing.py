"""Keeps orders in the hub's database without starting a run for each: ``python -m benchmarks.placing <name> <count>``."""

from __future__ import annotations

import argparse
import asyncio

from deployments.examples import EXAMPLE_ORDER
from hub.intake import place
from hub.orders import OrderRequest
from hub.per_loop import close_all


async def place_many(name: str, count: int) -> None:
    """Orders ``<name>-1`` to ``<name>-<count>`` are kept, and due."""
    request = OrderRequest.model_validate(EXAMPLE_ORDER)
    try:
        for number in range(1, count + 1):
            await place(f"{name}-{number}", request)
    finally:
        await close_all()


def main() -> None:
    """Place the orders that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placing")
    parser.add_argument("name")
    parser.add_argument("count", type=int)
    wanted = parser.parse_args()
    asyncio.run(place_many(wanted.name, wanted.count))


if __name__ == "__main__":
    main()
