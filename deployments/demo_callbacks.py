"""What the demo shows of callbacks: a parcel followed to its door, one that is cancelled on its shelf, 3-D Secure, a forgery."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from deployments.demo_scenes import Demo, Scene, Told, count_effects, scene_of
from deployments.examples import EXAMPLE_ORDER
from deployments.order_commands import settled
from deployments.problems import Problem

CALLBACK_SECONDS = 30
LATE_SECONDS = 0.8
"""How much later than the next news the three calls of *packed* come: enough that the order has moved on before."""
UNDONE = Counter({"stripe.refund": 1, "shippo.refund": 1, "sendgrid.mail": 1, "slack.message": 1, "slack.message_updated": 1})
FULFILMENT = Counter({"shippo.pickup": 1, "slack.message_updated": 1, "warehouse.pick_ticket_cancelled": 1})
"""What comes on top where the warehouse is told what to pack: *packed* is then something that a run sees to."""
THREE_D_SECURE = "pm_card_threeDSecure2Required"


async def delivered(demo: Demo, order_id: str) -> Scene:
    """An order goes from confirmed to delivered by webhooks; *packed* comes last and three times, and somebody forges one."""
    await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    number = (await settled(demo.gateway, order_id))["trackingNumber"]
    async with demo.sandbox.misbehaving("custom", "packed", duplicate=2, delay=LATE_SECONDS):
        await demo.sandbox.happen("events/custom", type="packed", data={"orderId": order_id})
    await demo.sandbox.happen("events/custom", type="picked_up", data={"orderId": order_id})
    await _until(demo, order_id, lambda view: view["status"] == "in_transit" and view["resumeAt"] is None, "is in transit")
    picked_up = await _told(demo, order_id, "custom", "picked_up", fact="picked up")
    packed = await _told(demo, order_id, "custom", "packed", fact="packed", calls=3)
    _, after_packed = await demo.gateway.ask("GET", f"/orders/{order_id}")
    forged = await _forge(demo, order_id)
    await demo.sandbox.happen(f"parcels/{number}", status="DELIVERED")
    view = await _until(demo, order_id, lambda view: view["status"] == "delivered" and view["resumeAt"] is None, "was delivered")
    arrived = await _told(demo, order_id, "shippo", "track_updated", fact="delivered", about=number)

    expected = demo.confirmed + Counter({"shippo.parcel_delivered": 1, "sendgrid.mail": 2, "slack.message_updated": 2})
    scene = await scene_of(demo, "from confirmed to delivered by webhooks", view, expected=expected, status="delivered")
    scene.told = [picked_up, packed, arrived]
    scene.notes = [
        f"packed came last and three times, and the order stayed {after_packed['status']}",
        f"packed forged into returned, under its old signature: answered {forged}, and nothing came of it",
    ]
    in_disorder = [event["what"] for event in await _facts(demo, order_id) if event["what"] in ("picked up", "packed")]
    as_ordered = in_disorder == ["picked up", "packed"] and after_packed["status"] == "in_transit"
    scene.ok = scene.ok and as_ordered and all(map(_once, scene.told)) and forged == httpx.codes.UNAUTHORIZED
    return scene


async def called_off(demo: Demo, order_id: str) -> Scene:
    """An order is packed, its carrier sent for, and then its customer cancels it: each part of it is undone, once."""
    await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    await settled(demo.gateway, order_id)
    await demo.sandbox.happen("events/custom", type="packed", data={"orderId": order_id})
    await _until(demo, order_id, lambda view: view["status"] == "packed" and view["resumeAt"] is None, "was packed")
    for _ in range(2):
        await demo.gateway.ask("POST", f"/orders/{order_id}/cancel", {"reason": "a change of mind"})
    view = await _until(demo, order_id, lambda view: view["status"] == "refunded" and view["resumeAt"] is None, "was refunded")
    expected = demo.confirmed + UNDONE + (FULFILMENT if demo.pick_tickets else Counter())
    return await scene_of(demo, "packed, and cancelled all the same", view, expected=expected, status="refunded")


async def resumed(demo: Demo, order_id: str) -> Scene:
    """An order waits for its customer, and no run does; 3-D Secure is finished, and Stripe's webhook moves the order on."""
    await demo.gateway.ask("PUT", f"/orders/{order_id}", {**EXAMPLE_ORDER, "paymentMethod": THREE_D_SECURE})
    waiting = await settled(demo.gateway, order_id)
    before = await count_effects(demo, order_id)
    payment_id = await demo.sandbox.payment_of(order_id)
    if waiting["status"] != "awaiting_payment" or payment_id is None:
        raise Problem(f"order {order_id} should wait for its customer, and is {waiting['status']}: {waiting['message']}")
    begun = time.monotonic()
    await demo.sandbox.approve(payment_id)
    view = await _until(demo, order_id, lambda view: view["status"] == "confirmed" and view["resumeAt"] is None, "was confirmed")
    took_seconds = time.monotonic() - begun
    scene = await scene_of(demo, "3-D Secure, and the order goes on", view, expected=demo.confirmed, status="confirmed")
    scene.told = [await _told(demo, order_id, "stripe", "payment_intent.succeeded", fact="payment settled")]
    charges = f"{before['stripe.charge']} charges"
    scene.notes = [f"before: {waiting['status']}, {charges}; {took_seconds:.1f} s after the customer's click: {view['status']}"]
    scene.ok = scene.ok and before["stripe.charge"] == 0 and _once(scene.told[0])
    return scene


async def _forge(demo: Demo, order_id: str) -> int:
    """
    Send a webhook that really came once more, with one word changed, and return how it is answered.

    Were it believed, the order would be returned, which nothing that comes later changes.
    """
    genuine = (await demo.sandbox.deliveries("custom", "packed", order_id))[0]
    forged = genuine["body"].replace('"packed"', '"returned"').encode()
    return (await demo.door.post("/webhooks/custom", content=forged, headers=genuine["headers"])).status_code


def _once(told: Told) -> bool:
    return told.kept == 1 and told.facts == 1


async def _told(demo: Demo, order_id: str, provider: str, kind: str, *, fact: str, calls: int = 1, about: str | None = None) -> Told:
    """Wait until ``calls`` webhooks of this kind were answered and their fact is there, and return what came of them."""
    deadline = time.monotonic() + CALLBACK_SECONDS
    while time.monotonic() < deadline:
        sent = [one for one in await demo.sandbox.deliveries(provider, kind, about or order_id) if one["state"] == "delivered"]
        facts = [event for event in await _facts(demo, order_id) if event["what"] == fact]
        if len(sent) >= calls and facts:
            kept = sum(json.loads(one["answer"])["kept"] for one in sent)
            first = min(datetime.fromisoformat(one["sentAt"]) for one in sent)
            seconds = round((datetime.fromisoformat(facts[0]["at"]) - first).total_seconds(), 3)
            return Told(provider, kind, len(sent), kept, fact, len(facts), seconds)
        await asyncio.sleep(0.1)
    raise Problem(f"{provider}'s {kind} about order {order_id} was not applied within {CALLBACK_SECONDS} s; see `hub notices list`")


async def _facts(demo: Demo, order_id: str) -> list[dict[str, Any]]:
    _, story = await demo.gateway.ask("GET", f"/orders/{order_id}/timeline")
    return [event for event in story if event["about"] == "fact"]


async def _until(demo: Demo, order_id: str, there: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    deadline = time.monotonic() + CALLBACK_SECONDS
    while time.monotonic() < deadline:
        _, view = await demo.gateway.ask("GET", f"/orders/{order_id}")
        if there(view):
            return dict(view)
        await asyncio.sleep(0.1)
    raise Problem(f"no webhook said within {CALLBACK_SECONDS} s that order {order_id} {what}; see `hub notices list`")
