"""
Providers that are away, or let through only so much, while orders come in: afterwards everything has happened, once.

``python -m tests.proofs.outage``; the journeys play the same scenes with fewer orders.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hub.policies import EXTERNAL, INTERNAL, NOTIFICATION, PAYMENT
from tests.journeys.hub_under_test import CONFIRMED, Hub, running_hub, until

TIME_SCALE = 0.05
WORKERS = 3
REAL_SWEEP_SECONDS = 30.0
LONGEST_BUDGET_SECONDS = max(policy.budget_seconds for policy in (PAYMENT, EXTERNAL, NOTIFICATION, INTERNAL))
HALF_AN_HOUR_SECONDS = 1800.0
RATE, BURST = 10.0, 20
OFF_BY_AT_MOST = 0.1
AT_ONCE = 20
PATIENCE_SECONDS = 600.0
"""So long everything may take that should happen by itself."""


@dataclass
class Seen:
    """What a scene has shown: figures by name, and what was not as it should be."""

    scene: str
    figures: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def must(self, holds: bool, trouble: str) -> None:
        """Note the trouble unless it holds."""
        if not holds:
            self.troubles.append(trouble)


async def stripe_is_away(hub: Hub, orders: list[str], *, seconds: float = 0) -> Seen:
    """Stripe answers 503 while all orders come in, for at least so many seconds and one more probe; then it is back."""
    seen, began = Seen("Stripe is away"), time.monotonic()
    await hub.sandbox.fault("stripe", "create payment", "status", status=503, times=None)
    await place(hub, orders)
    await until(lambda: is_closed_after(hub, "stripe", 1), seconds=PATIENCE_SECONDS, what=lambda: "the gate to close")
    await until(lambda: all_wait_for(hub, "stripe", orders), seconds=PATIENCE_SECONDS, what=lambda: "all orders to park")

    asked, closings = len(await asked_at(hub, "stripe", "create payment")), await closings_of(hub, "stripe")
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    await until(lambda: is_closed_after(hub, "stripe", closings + 1), seconds=PATIENCE_SECONDS, what=lambda: "another probe")
    probed = len(await asked_at(hub, "stripe", "create payment")) - asked
    closed_again = await closings_of(hub, "stripe") - closings
    seen.must(probed <= closed_again + 1, f"{probed} requests while the gate was closed {closed_again} times more: not only probes")

    away = time.monotonic() - began
    await hub.sandbox.clear_faults()
    back = time.monotonic()
    await all_are_confirmed_once(hub, orders, seen)
    seen.must(await closings_of(hub, "stripe") == 0, "the gate is not as good as new")
    seen.figures |= {
        "orders": str(len(orders)),
        "away": f"{away:.0f} s ({away / TIME_SCALE / 60:.0f} min at scale 1; the longest budget is {LONGEST_BUDGET_SECONDS / 60:.0f} min)",
        "requests until all had parked": str(asked),
        "requests from then on until Stripe was back": f"{probed}, each a probe",
        "last order confirmed after its return": f"{time.monotonic() - back:.0f} s",
    }
    return seen


async def sendgrid_is_away(hub: Hub, orders: list[str], *, seconds: float = 0) -> Seen:
    """SendGrid answers 503 while all orders come in, for at least so many seconds and one more probe; then it is back."""
    seen, began = Seen("SendGrid is away"), time.monotonic()
    await hub.sandbox.fault("sendgrid", "send mail", "status", status=503, times=None)
    await place(hub, orders)
    for order_id in orders:
        await hub.until_order(order_id, lambda order: order["status"] == "confirmed", seconds=PATIENCE_SECONDS)
    confirmed = time.monotonic() - began
    await until(lambda: is_closed_after(hub, "sendgrid", 1), seconds=PATIENCE_SECONDS, what=lambda: "the gate to close")
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    closings = await closings_of(hub, "sendgrid")
    await until(lambda: is_closed_after(hub, "sendgrid", closings + 1), seconds=PATIENCE_SECONDS, what=lambda: "another probe")
    unsent = [order_id for order_id in orders if await hub.sandbox.count("sendgrid", "mail", order_id) == 0]
    seen.must(unsent == orders, "a mail was sent that cannot have been")

    away, asked = time.monotonic() - began, len(await asked_at(hub, "sendgrid", "send mail"))
    await hub.sandbox.clear_faults()
    back = time.monotonic()
    await all_are_confirmed_once(hub, orders, seen)
    seen.figures |= {
        "orders": str(len(orders)),
        "all confirmed, their mails owed, after": f"{confirmed:.0f} s",
        "away": f"{away:.0f} s ({away / TIME_SCALE / 60:.0f} min at scale 1)",
        "requests meanwhile": str(asked),
        "last mail sent after its return": f"{time.monotonic() - back:.0f} s",
    }
    return seen


async def stripe_is_limited(hub: Hub, orders: list[str], rate: float = RATE, burst: int = BURST) -> Seen:
    """
    All orders wait behind a pause; then several workers ask Stripe for their payments, in runs of many orders, and it gets what it allows.

    The customers prove who they are only afterwards: a whole order takes these processor cores longer than the limit does.
    """
    seen = Seen("Stripe is limited")
    await hub.command("hub", "providers", "pause", "stripe")
    await hub.command("hub", "providers", "limit", "stripe", f"{rate:g}", "--burst", str(burst))
    await place(hub, orders, paymentMethod="pm_card_threeDSecure2Required")
    async with one_run_for_each_worker(hub), hub.paused("sweep/hub"):  # so that nobody else works through the backlog
        await until(lambda: all_wait_for(hub, "stripe", orders), seconds=PATIENCE_SECONDS, what=lambda: "all orders to park")
        await hub.command("hub", "providers", "resume", "stripe")
        known = len(await asked_at(hub, "stripe", "create payment"))
        shares = [orders[number::WORKERS] for number in range(WORKERS)]
        runs = [await hub.start({"order_ids": share, "at_once": 60}, deployment="process-orders/hub") for share in shares]
        workers = {(await hub.until_over(run_id, seconds=PATIENCE_SECONDS))["infrastructure_pid"] for run_id in runs}
    at = (await asked_at(hub, "stripe", "create payment"))[known:]
    await customers_approve(hub, orders)
    await all_are_confirmed_once(hub, orders, seen)
    await hub.command("hub", "providers", "limit", "stripe")

    fullest, mean = most_in_a_second(at), (len(at) - burst) / (at[-1] - at[0])
    seen.must(fullest <= burst + rate, f"{fullest} requests within a second; {burst} + {rate:g} are allowed")
    seen.must(abs(mean / rate - 1) <= OFF_BY_AT_MOST, f"{mean:.2f} requests a second in the mean, not {rate:g}")
    seen.must(len(workers) == WORKERS, f"only {len(workers)} workers took part")
    seen.must(len(at) == len(orders), f"{len(at)} requests for {len(orders)} payments")
    seen.figures |= {
        "orders": str(len(orders)),
        "limit": f"{rate:g} a second, {burst} at once",
        "worker processes that asked": str(len(workers)),
        "most requests within any second": str(fullest),
        "mean beyond the burst": f"{mean:.2f} a second over {at[-1] - at[0]:.0f} s",
    }
    return seen


@asynccontextmanager
async def one_run_for_each_worker(hub: Hub) -> AsyncIterator[None]:
    """Each worker has room for one run while the block runs."""
    role = hub.stack.running["worker"].role
    await hub.stack.stop("worker")
    await hub.stack.start(replace(role, environment=role.environment | {"HUB_WORKER_LIMIT": "1"}))
    yield
    await hub.stack.stop("worker")
    await hub.stack.start(role)


def most_in_a_second(at: list[float]) -> int:
    """Return how many of the moments lie in the fullest second."""
    return max(sum(begin <= moment < begin + 1 for moment in at) for begin in at)


async def place(hub: Hub, orders: list[str], **changes: Any) -> None:
    """All orders come in at the gateway."""
    asking = asyncio.Semaphore(AT_ONCE)

    async def one(order_id: str) -> None:
        async with asking:
            (await hub.place(order_id, **changes)).raise_for_status()

    await asyncio.gather(*(one(order_id) for order_id in orders))


async def customers_approve(hub: Hub, orders: list[str]) -> None:
    """The customer of each order proves at the bank's page who it is."""
    async with hub.database() as database:
        payments = await database.fetch("SELECT payment_id FROM orders WHERE id = ANY($1)", orders)
    for payment in payments:
        await hub.sandbox.customer_approves(payment["payment_id"])


async def all_are_confirmed_once(hub: Hub, orders: list[str], seen: Seen) -> None:
    """Wait until every order is confirmed and rests, and note where providers did more or less than once."""
    for order_id in orders:
        await hub.until_status(order_id, "confirmed", seconds=PATIENCE_SECONDS)
    for order_id in orders:
        done = await hub.seen(order_id)
        seen.must(done == CONFIRMED, f"{order_id}: {dict(done)}")


async def asked_at(hub: Hub, provider: str, operation: str) -> list[float]:
    """Return when the provider was asked, in seconds, oldest first."""
    return sorted(float(request["at"]) for request in await hub.sandbox.requests(provider, operation))


async def closings_of(hub: Hub, provider: str) -> int:
    """Return how often in a row the gate has closed."""
    async with hub.database() as database:
        return await database.fetchval("SELECT closings FROM provider_gates WHERE provider = $1", provider) or 0


async def is_closed_after(hub: Hub, provider: str, closings: int) -> bool:
    """Tell whether the gate has closed at least so often in a row."""
    return await closings_of(hub, provider) >= closings


async def all_wait_for(hub: Hub, provider: str, orders: list[str]) -> bool:
    """Tell whether all orders are parked behind the provider's gate."""
    waits = "SELECT bool_and(lease_owner IS NULL AND message LIKE 'waits: ' || $1 || ' is %') FROM orders WHERE id = ANY($2)"
    async with hub.database() as database:
        return bool(await database.fetchval(waits, provider, orders))


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)  # noqa: T201 - a program that people watch


async def proof(orders: int) -> list[Seen]:
    """Play every scene in one stack with several worker processes."""

    def names(scene: str) -> list[str]:
        return [f"o-{scene}-{number}" for number in range(orders)]

    scenes: list[Callable[[Hub], Awaitable[Seen]]] = [
        lambda hub: stripe_is_away(hub, names("unpaid"), seconds=LONGEST_BUDGET_SECONDS * TIME_SCALE),
        lambda hub: sendgrid_is_away(hub, names("unmailed"), seconds=HALF_AN_HOUR_SECONDS * TIME_SCALE),
        lambda hub: stripe_is_limited(hub, names("limited")),
    ]
    played = []
    os.environ["HUB_WORKER_PROCESSES"] = str(WORKERS)
    async with running_hub(sweep_seconds=REAL_SWEEP_SECONDS, lease_seconds=5, time_scale=TIME_SCALE, pick_tickets=True) as hub:
        for scene in scenes:
            seen = await scene(hub)
            played.append(seen)
            say("\n".join([seen.scene, *(f"  {name}: {value}" for name, value in seen.figures.items())]))
    return played


def main() -> None:
    """Play every scene, print the figures, and fail if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100, help="in each scene")
    troubles = [f"{seen.scene}: {trouble}" for seen in asyncio.run(proof(parser.parse_args().orders)) for trouble in seen.troubles]
    if troubles:
        sys.exit("\n".join(troubles))


if __name__ == "__main__":
    main()
