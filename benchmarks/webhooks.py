"""How fast webhooks are accepted, beside an endpoint that only inserts a row; and how soon after a call its fact is applied."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from itertools import count

import aiohttp

from benchmarks.inbox import InboxView, inbox_of
from benchmarks.knocking import ACCEPTED, Job, Outcome, custom_call
from benchmarks.measuring import BULK_AT_ONCE, Measuring
from benchmarks.results import BARE_DOOR, DOOR, FLOW, ONE_AT_A_TIME, Accepted, Applied
from deployments import roles
from deployments.layout import PROJECT
from deployments.ports import free_ports
from deployments.stack_settings import StackSettings
from deployments.webhook_secrets import SANDBOX_FILE
from hub.private_files import known

CONNECTIONS = 50
KIND = "packed"
"""What the warehouse tells, and the fact that it is; it gives an order nothing to do."""
NAME = "webhook"


class Webhooks:
    """Knocks at the door of a running stack, and looks into its database for what came of it."""

    def __init__(self, measuring: Measuring, inbox: InboxView) -> None:
        self._measuring, self._inbox = measuring, inbox
        self._plan, self._results, self._stack = measuring.plan, measuring.results, measuring.stack
        self._secrets: dict[str, str] = json.loads(known(measuring.stack.home, SANDBOX_FILE) or "{}")
        self._numbers = count(1)

    async def all(self) -> None:
        """Accepted by the gateway alone, then with the worker at work; then applied, one at a time and in a flow."""
        async with self._bare_door() as bare_url:
            await self._inbox.until_idle(self._plan.limit_seconds)
            first = await self._inbox.newest()
            await self._stack.stop("worker")
            for _ in range(self._plan.accept_rounds):
                await self._accept(bare_url, worker_runs=False)
            await self._stack.start(roles.worker(self._stack.layout, self._stack.databases, StackSettings()))
            await self._until_idle()
            self._results.handled_a_second = round(await self._inbox.handling_rate(first))
            for _ in range(self._plan.accept_rounds):
                await self._accept(bare_url, worker_runs=True)
                await self._until_idle()
        await self._apply()

    async def _accept(self, bare_url: str, *, worker_runs: bool) -> None:
        for who, url in ((BARE_DOOR, bare_url), (DOOR, f"{self._stack.gateway_url}/webhooks/stripe")):
            job = Job(url, self._secrets["stripe"], self._plan.accept_webhooks, CONNECTIONS)
            outcome = Outcome(**json.loads(await self._measuring.program("benchmarks.knocking", given=job.as_json())))
            rate = round(outcome.accepted / outcome.seconds, 1)
            accepted = Accepted(who, worker_runs, rate, outcome.median_seconds, outcome.p99_seconds, outcome.longest_seconds)
            self._results.accepted.append(accepted)
            if outcome.accepted < job.number:
                self._results.news.append(f"{who}: {job.number - outcome.accepted} of {job.number} webhooks were not accepted")
            self._measuring.say(f"  {who}: {rate:.0f} webhooks a second, p99 {1000 * outcome.p99_seconds:.0f} ms")

    async def _apply(self) -> None:
        light, flow = self._plan.light_webhooks, round(self._plan.flow_rate * self._plan.flow_seconds)
        told = await self._confirmed_orders(light + flow)
        async with aiohttp.ClientSession(self._stack.gateway_url) as http:
            await self._one_at_a_time(http, told[:light])
            await self._until_idle()
            await self._flow(http, told[light:])
        facts = await self._inbox.facts(KIND, NAME)
        if facts != light + flow:
            self._results.news.append(f"{light + flow} webhooks became {facts} facts")

    async def _one_at_a_time(self, http: aiohttp.ClientSession, told: list[str]) -> None:
        """Each finds an inbox that nobody watches any more, so it takes a nudge, an automation and a run of its own."""
        called, seen = dict[str, float](), dict[str, datetime]()
        for order_id in told:
            await self._until_idle()
            newest = await self._inbox.newest()
            event_id, called[event_id] = await self._tell(http, order_id)
            seen |= await self._inbox.until_handled(newest, 1, self._plan.limit_seconds)
        self._keep(ONE_AT_A_TIME, called, seen)

    async def _flow(self, http: aiohttp.ClientSession, told: list[str]) -> None:
        newest, began = await self._inbox.newest(), time.monotonic()
        looking = asyncio.create_task(self._inbox.until_handled(newest, len(told), self._plan.limit_seconds))
        calls = []
        for number, order_id in enumerate(told):
            await asyncio.sleep(began + number / self._plan.flow_rate - time.monotonic())
            calls.append(asyncio.create_task(self._tell(http, order_id)))
        self._keep(FLOW, dict(await asyncio.gather(*calls)), await looking)

    async def _tell(self, http: aiohttp.ClientSession, order_id: str) -> tuple[str, float]:
        """Returns the event's id and the moment of the call; the machine has one clock, which is the database's, too."""
        event_id = f"{NAME}-{next(self._numbers)}"
        call = custom_call(self._secrets["custom"], event_id, KIND, order_id)
        called_at = time.time()
        async with http.post("/webhooks/custom", data=call.body, headers=call.headers) as answer:
            if answer.status != ACCEPTED:
                raise RuntimeError(f"the gateway answered {answer.status}")
        return event_id, called_at

    async def _confirmed_orders(self, number: int) -> list[str]:
        doors = self._measuring.doors
        await doors.set_latency("0")
        await self._measuring.program("benchmarks.placing", NAME, str(number))
        order_ids = [f"{NAME}-{one}" for one in range(1, number + 1)]
        deployment = str((await doors.deployment("process-orders/hub"))["id"])
        run_id = await doors.start(deployment, {"order_ids": order_ids, "at_once": BULK_AT_ONCE})
        await doors.until_over(run_id, self._plan.limit_seconds)
        self._results.orders += number
        await self._until_idle()  # the providers have told their part of each order
        return order_ids

    async def _until_idle(self) -> None:
        if not await self._inbox.until_idle(self._plan.limit_seconds):
            self._results.news.append(f"the inbox was not empty after {self._plan.limit_seconds:g} s")

    def _keep(self, load: str, called: dict[str, float], seen: dict[str, datetime]) -> None:
        """What was not seen in time is among the facts that are missing in the end."""
        seconds = [round(seen[event_id].timestamp() - called_at, 4) for event_id, called_at in called.items() if event_id in seen]
        if seconds:
            self._results.applied.append(Applied(load, seconds))
            self._measuring.say(f"  call → fact applied, {load}: longest of {len(seconds)} {max(seconds):.2f} s")

    @asynccontextmanager
    async def _bare_door(self) -> AsyncIterator[str]:
        """The bare endpoint's address, as long as the block runs."""
        (port,) = free_ports(1)
        environment = self._stack.layout.role_environment(self._stack.databases)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.bare_door", str(port), env=environment, cwd=PROJECT
        )
        try:
            await self._answers(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def _answers(self, port: int) -> None:
        async with asyncio.timeout(self._plan.limit_seconds):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)


async def measure_webhooks(measuring: Measuring) -> None:
    """All about webhooks was measured."""
    async with inbox_of(measuring.stack.databases.hub) as inbox:
        await Webhooks(measuring, inbox).all()
