"""
The storm: the webhooks of many orders, each many times and in any order, half of them too early, while processes are killed.

It must end as the same webhooks do that come once and in order. ``python -m tests.proofs.storm``; ``make storm``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.journeys.hub_under_test import Hub, running_hub
from tests.proofs.accounts import accounts_of
from tests.proofs.deliveries import Calm, Storm
from tests.proofs.killing import Kill, kill_in_turn
from tests.proofs.letters import Letter, Post, carrier_to
from tests.proofs.lives import NOTICES, Life, Surroundings
from tests.proofs.natures import NATURES
from tests.proofs.on_call import on_call
from tests.proofs.storm_document import written
from tests.proofs.unfinished import unfinished
from tests.proofs.watching import Watch

ALL_KILLS = ("gateway", "worker", "prefect-server")
MEAN_SHARE = 20.07 / 46
"""How many copies a letter gets on average, as a share of the most; says when the storm is how far."""
EARLY_AT_LEAST = 0.5
KEPT_BACK = 0.2
"""Which share of all deliveries always waits, so that the shuffle is one."""
AT_ONCE = 24
DOCUMENT = Path(__file__).parents[2] / "docs" / "storm.md"


@dataclass(frozen=True)
class Plan:
    """What is done: so many orders, each notice 1 to ``most`` times; the roles are killed one after the other at even shares of it."""

    orders: int = 200
    most: int = 46
    kills: tuple[str, ...] = ALL_KILLS
    seed: int = 20261122
    sweep_seconds: float = 30


@dataclass
class Outcome:
    """What a storm was, and every difference between what it left and what calm weather left."""

    plan: Plan
    distinct: int = 0
    delivered: int = 0
    requests: int = 0
    repeated: int = 0
    early: int = 0
    seconds: float = 0
    calm_seconds: float = 0
    kills: list[Kill] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


async def storm(plan: Plan) -> Outcome:
    """Raise the storm in a stack of its own and return what came of it."""
    outcome = Outcome(plan)
    async with (
        Post().open() as post,
        running_hub(sweep_seconds=plan.sweep_seconds, lease_seconds=5, time_scale=0.05, public_url=post.url) as hub,
        calling_back_at(hub, post.url),
        hub.database() as database,
    ):
        watch = Watch(database, post)
        try:
            began = time.monotonic()
            await calm_weather(hub, post, watch, plan)
            outcome.calm_seconds = time.monotonic() - began
            say(f"calm: {len(names('calm', plan))} orders, {sum(map(len, post.by_order.values()))} notices, {outcome.calm_seconds:.0f} s")
            async with hub.database() as seen_by_a_person, asyncio.TaskGroup() as group:
                person = group.create_task(on_call(hub, seen_by_a_person))
                await stormy_weather(hub, post, watch, outcome)
                person.cancel()
        except Exception:
            say("\n".join(["it did not come to its end; these orders have something to do:", *await unfinished(hub)]))
            raise
        await compare(hub, post, watch, outcome)
    return outcome


@asynccontextmanager
async def calling_back_at(hub: Hub, url: str) -> AsyncIterator[None]:
    """The sandbox calls the post instead of the gateway, at once."""
    role = hub.stack.running["sandbox"].role
    environment = {**role.environment, "SANDBOX_WEBHOOKS_URL": f"{url}/webhooks", "SANDBOX_WEBHOOK_WAIT": "0-0"}
    await hub.stack.stop("sandbox")
    await hub.stack.start(replace(role, environment=environment))
    yield


async def calm_weather(hub: Hub, post: Post, watch: Watch, plan: Plan) -> None:
    """Orders of every nature, each notice delivered once and in order, the hub given time to act on it."""
    async with carrier_to(hub.stack.home, hub.stack.gateway_url) as carrier, asyncio.TaskGroup() as group:
        post.on_letter = Calm(carrier, group).take
        around = Surroundings(
            hub=hub,
            post=post,
            before_deed=watch.caught_up,
            first=None,
            announced=watch.announced,
            at_once=asyncio.Semaphore(AT_ONCE),
            foreign_key=hub.key("stripe"),
        )
        await all_live(around, names("calm", plan))
        for order_id in names("calm", plan):
            await watch.caught_up(order_id)
        await watch.all_quiet(names("calm", plan))


async def stormy_weather(hub: Hub, post: Post, watch: Watch, outcome: Outcome) -> None:
    """Orders of the same natures, and the storm over them."""
    plan = outcome.plan
    began = time.monotonic()
    async with carrier_to(hub.stack.home, hub.stack.gateway_url) as carrier:
        expected = plan.orders * NOTICES * plan.most * MEAN_SHARE
        weather = Storm(carrier, seed=plan.seed, most=plan.most, reserve=int(expected * KEPT_BACK))
        weather.hurried = set(names("storm", plan))
        post.on_letter = weather.take
        around = Surroundings(
            hub=hub,
            post=post,
            before_deed=does_not_wait,
            first=weather.first,
            announced=watch.announced,
            at_once=asyncio.Semaphore(AT_ONCE),
            foreign_key=hub.key("stripe"),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(weather.blow())
            killing = group.create_task(kill_in_turn(hub, plan.kills, delivered=lambda: carrier.delivered, expected=expected, say=say))
            await all_live(around, names("storm", plan))
            say(f"all {plan.orders} orders are through; {carrier.delivered} of {weather.ordered} deliveries so far")
            weather.abate()
            outcome.kills = await killing
            weather.no_more()
        outcome.delivered, outcome.requests, outcome.repeated = carrier.delivered, carrier.requests, carrier.repeated
        outcome.seconds = time.monotonic() - began
        say(
            f"the storm is over: {carrier.delivered} deliveries in {outcome.seconds:.0f} s; repeated because of {Counter(carrier.refusals)}"
        )
        if carrier.delivered != weather.ordered:
            outcome.troubles.append(f"{weather.ordered} deliveries were ordered and {carrier.delivered} answered with 2xx")
    await watch.all_quiet(names("storm", plan))


async def does_not_wait(order_id: str) -> None:
    """In a storm nobody waits for the hub."""
    del order_id


async def all_live(around: Surroundings, order_ids: list[str]) -> None:
    """All orders of the list live their lives side by side."""
    async with asyncio.TaskGroup() as group:
        for number, order_id in enumerate(order_ids):
            group.create_task(Life(around, order_id, NATURES[number % len(NATURES)]).live())


def names(weather: str, plan: Plan) -> list[str]:
    """The ids of a weather's orders, whose natures come in the order of ``NATURES``; in calm weather that goes round once at most."""
    orders = plan.orders if weather == "storm" else min(plan.orders, len(NATURES))
    return [f"{weather}-{number:04}" for number in range(1, orders + 1)]


async def compare(hub: Hub, post: Post, watch: Watch, outcome: Outcome) -> None:
    """Note every difference between the two weathers, and what was lost, doubled or left over."""
    plan, troubles = outcome.plan, outcome.troubles
    calm_ids, storm_ids = names("calm", plan), names("storm", plan)
    async with hub.database() as database:
        calm, stormy = await accounts_of(hub, database, calm_ids), await accounts_of(hub, database, storm_ids)
        for number, storm_id in enumerate(storm_ids):
            calm_id = calm_ids[number % len(NATURES)]
            if different := calm[calm_id].differences(stormy[storm_id]):
                troubles.append("\n  ".join([f"{storm_id} ({NATURES[number % len(NATURES)]}) is not as {calm_id}:", *different]))
        told: list[Letter] = [letter for order_id in storm_ids for letter in post.of(order_id)]
        all_letters = sum(len(letters) for letters in post.by_order.values())
        outcome.distinct, outcome.early = len(told), sum(letter.early for letter in told)
        rows = await watch.ask("SELECT count(*) FROM notices")
        if rows != all_letters:
            troubles.append(f"{all_letters} distinct notices were delivered, and {rows} are kept")
        if due := await watch.ask("SELECT count(*) FROM notices WHERE next_at IS NOT NULL"):
            troubles.append(f"{due} notices are still due")
        for state in ("kept", "early", "failed", "quarantined"):
            if count := await watch.ask("SELECT count(*) FROM notices WHERE state = $1", state):
                troubles.append(f"{count} notices are {state}")
    untold = sum(not letter.told.is_set() for letter in told)
    if untold:
        troubles.append(f"{untold} notices were never answered with 2xx")
    if outcome.early < EARLY_AT_LEAST * outcome.distinct:
        troubles.append(f"only {outcome.early} of {outcome.distinct} notices came before the answer of the call that caused them")


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)  # noqa: T201 - a program that people watch, and whose pids are part of the proof


def main() -> None:
    """Raise the storm, print what came of it, write it down when asked to, and fail if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=Plan.orders)
    parser.add_argument("--most", type=int, default=Plan.most, help="deliveries of one notice at most")
    parser.add_argument("--kills", nargs="*", default=Plan.kills, choices=ALL_KILLS)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--write", action="store_true", help="write docs/storm.md")
    given = parser.parse_args()
    outcome = asyncio.run(storm(Plan(given.orders, given.most, tuple(given.kills), given.seed)))
    text = written(outcome)
    say(text)
    if outcome.troubles:
        sys.exit("\n".join(["the storm changed something:", *outcome.troubles]))
    if given.write:
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
