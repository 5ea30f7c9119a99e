"""
The floor: a bare asyncio program that makes the five provider calls of an order and nothing else. ``python -m benchmarks.floor``.

No ledger, no Prefect, no SDK: aiohttp on the same requests, nothing kept, nothing repeated. It reads its job as JSON from standard input
and writes how long each order took to standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from deployments.examples import EXAMPLE_ORDER

HUB = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Job:
    """``orders`` orders, ``at_once`` side by side, with ids ``<name>-1``, …; one more before them to open connections."""

    sandbox_url: str
    keys: dict[str, str]
    name: str
    orders: int
    at_once: int

    def as_json(self) -> bytes:
        """What the program reads."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Outcome:
    """``seconds`` for everything, ``each`` for every order, and the program's own processor time."""

    seconds: float
    each: list[float]
    cpu_seconds: float


class Bare:
    """The five calls."""

    def __init__(self, http: aiohttp.ClientSession, job: Job) -> None:
        self._http, self._job = http, job

    async def order(self, order_id: str) -> float:
        """Charge, quote, label, then mail and message side by side; returns how many seconds that took."""
        began = time.monotonic()
        await self._stripe(order_id)
        shipment = await self._shippo("/shippo/shipments", _shipment(order_id))
        cheapest = min(shipment["rates"], key=lambda rate: float(rate["amount"]))
        label = {
            "rate": cheapest["object_id"],
            "metadata": f"{HUB[:12]}:order:{order_id}:label:1",
            "label_file_type": "PDF",
            "async": False,
        }
        bought = await self._shippo("/shippo/transactions", label)
        text = f"Order {order_id}: {bought['tracking_number']}"
        await asyncio.gather(self._mail(order_id, text), self._message(order_id, text))
        return time.monotonic() - began

    async def _stripe(self, order_id: str) -> None:
        amount = sum(item["quantity"] * item["price"] for item in EXAMPLE_ORDER["items"])
        form = {
            "amount": str(amount),
            "currency": "usd",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "description": f"Order {order_id}",
            "metadata[order_id]": order_id,
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
        headers = {"Authorization": f"Bearer {self._job.keys['stripe']}", "Idempotency-Key": f"floor:{order_id}"}
        await self._post("/stripe/v1/payment_intents", headers, data=form)

    async def _shippo(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"ShippoToken {self._job.keys['shippo']}", "SHIPPO-API-VERSION": "2018-02-08"}
        return await self._post(path, headers, json=body)

    async def _mail(self, order_id: str, text: str) -> None:
        body = {
            "personalizations": [{"to": [EXAMPLE_ORDER["customer"]]}],
            "from": {"email": "orders@example.com"},
            "subject": f"Order {order_id}",
            "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": f"<p>{text}</p>"}],
            "custom_args": {"order_id": order_id},
        }
        await self._post("/sendgrid/v3/mail/send", {"Authorization": f"Bearer {self._job.keys['sendgrid']}"}, json=body)

    async def _message(self, order_id: str, text: str) -> None:
        metadata = {"event_type": "floor", "event_payload": {"order_id": order_id}}
        body = {"channel": "C0HUBTEAM", "text": text, "metadata": metadata}
        answer = await self._post("/slack/api/chat.postMessage", {"Authorization": f"Bearer {self._job.keys['slack']}"}, json=body)
        if not answer["ok"]:
            raise RuntimeError(f"slack: {answer['error']}")

    async def _post(self, path: str, headers: dict[str, str], **body: Any) -> dict[str, Any]:
        async with self._http.post(path, headers=headers, **body) as answer:
            answer.raise_for_status()
            text = await answer.read()
        return dict(json.loads(text)) if text else {}


def _shipment(order_id: str) -> dict[str, Any]:
    shipping, customer = EXAMPLE_ORDER["shipping"], EXAMPLE_ORDER["customer"]
    sender = {"name": "Warehouse", "street1": "965 Mission St", "city": "San Francisco", "state": "CA", "zip": "94103", "country": "US"}
    to = {"street1": shipping["address"], **{name: shipping[name] for name in ("city", "state", "zip")}, "country": "US", **customer}
    parcel = {"length": "30", "width": "20", "height": "15", "distance_unit": "cm", "weight": "1500", "mass_unit": "g"}
    reference = f"{HUB[:12]}:order:{order_id}:quote:1"
    return {"address_from": sender, "address_to": to, "parcels": [parcel], "metadata": reference, "async": False}


async def run(job: Job) -> Outcome:
    """All orders are done."""
    connector = aiohttp.TCPConnector(limit=2 * job.at_once)
    async with aiohttp.ClientSession(job.sandbox_url, connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        bare, each = Bare(http, job), list[float]()
        await bare.order(f"{job.name}-warm-up")

        async def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                each.append(await bare.order(f"{job.name}-{number}"))

        began, cpu = time.monotonic(), time.process_time()
        shared = iter(range(1, job.orders + 1))
        await asyncio.gather(*(work(shared) for _ in range(job.at_once)))
        return Outcome(time.monotonic() - began, each, time.process_time() - cpu)


def main() -> None:
    """Read the job, do it, tell how long it took."""
    outcome = asyncio.run(run(Job(**json.load(sys.stdin))))
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
