"""
Genuine webhooks: made, signed, and knocking in a crowd. ``python -m benchmarks.knocking``.

The program reads its job as JSON from standard input and writes what came of it to standard output. Everything is signed before the clock
starts.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from sandbox.callback_signing import SIGNERS, Draft, Letter

ANOTHER_HUB = "00000000-0000-4000-8000-000000000000"
ACCEPTED = 202


def stripe_call(secret: str) -> Letter:
    """A payment that another hub took through the same account: read, and found to be none of ours."""
    mark = secrets.token_hex(12)
    intent = {
        "id": f"pi_{mark}",
        "object": "payment_intent",
        "amount": 10000,
        "amount_received": 10000,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"effect": f"{ANOTHER_HUB}:order:o-{mark}:payment:1"},
        "description": "x" * 1000,  # an event of Stripe's has about two kilobytes
    }
    event = {"id": f"evt_{mark}", "object": "event", "type": "payment_intent.succeeded", "data": {"object": intent}}
    return _signed("stripe", secret, event["id"], event["type"], event)


def custom_call(secret: str, event_id: str, kind: str, order_id: str) -> Letter:
    """Something that the company's warehouse tells."""
    return _signed("custom", secret, event_id, kind, {"type": kind, "timestamp": "2026-11-22T04:00:00Z", "data": {"orderId": order_id}})


def _signed(provider: str, secret: str, event_id: str, kind: str, event: dict[str, Any]) -> Letter:
    now = time.time()
    return SIGNERS[provider](
        Draft(kind=kind, identity=event_id, contents=[event], form=False, url="", secret=secret, attempt=1, trouble="", now=now)
    )


@dataclass(frozen=True)
class Job:
    """``number`` webhooks of Stripe, signed with ``secret``, to ``url`` over ``at_once`` connections."""

    url: str
    secret: str
    number: int
    at_once: int

    def as_json(self) -> bytes:
        """What the program reads."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Outcome:
    """``seconds`` for everything, how many answers were ``accepted``, and how long answers took: median, 99th percentile, longest."""

    seconds: float
    accepted: int
    median_seconds: float
    p99_seconds: float
    longest_seconds: float


async def knock(job: Job) -> Outcome:
    """Every webhook was answered."""
    calls = iter([stripe_call(job.secret) for _ in range(job.number)])
    each, accepted = list[float](), 0

    async def visitor(http: aiohttp.ClientSession, calls: Iterator[Letter]) -> None:
        nonlocal accepted
        for call in calls:
            began = time.perf_counter()
            async with http.post(job.url, data=call.body, headers=call.headers) as answer:
                await answer.read()
            each.append(time.perf_counter() - began)
            accepted += answer.status == ACCEPTED

    connector = aiohttp.TCPConnector(limit=job.at_once)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        began = time.perf_counter()
        await asyncio.gather(*(visitor(http, calls) for _ in range(job.at_once)))
        seconds = time.perf_counter() - began
    each.sort()
    return Outcome(seconds, accepted, each[len(each) // 2], each[min(len(each) - 1, len(each) * 99 // 100)], each[-1])


def main() -> None:
    """Read the job, do it, tell what came of it."""
    given: dict[str, Any] = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asdict(asyncio.run(knock(Job(**given))))) + "\n")


if __name__ == "__main__":
    main()
