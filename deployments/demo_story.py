"""What the demo plays: an order, the same again, the same twice at once, a declined card and another one, a refused label."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from deployments.examples import EXAMPLE_ORDER
from deployments.gateway_client import GatewayClient
from deployments.order_commands import settled
from deployments.problems import Problem
from deployments.sandbox_client import SandboxClient

REFUSED_ZIP = "00000"
"""The rehearsal carrier refuses a label to this zip code."""
RUN_LIMIT_SECONDS = 120
CONFIRMED = Counter({"stripe.charge": 1, "shippo.label": 1, "sendgrid.mail": 1, "slack.message": 1})


@dataclass(frozen=True)
class Demo:
    """What the demo works with: the gateway, the sandbox's control side, and Prefect's API."""

    gateway: GatewayClient
    sandbox: SandboxClient
    prefect: httpx.AsyncClient


@dataclass
class Scene:
    """One thing shown: an order, and what the providers saw of it in this scene."""

    what: str
    view: dict[str, Any]
    seen: Counter[str]
    ok: bool
    references: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """All scenes, and what the providers counted."""

    scenes: list[Scene]
    effects: Counter[str]

    @property
    def ok(self) -> bool:
        """Whether every scene went as it should."""
        return all(scene.ok for scene in self.scenes)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as one JSON object."""
        orders = {scene.view["orderId"]: {**scene.view, "references": scene.references} for scene in self.scenes}
        scenes = [{"what": s.what, "orderId": s.view["orderId"], "ok": s.ok, "effects": dict(s.seen)} for s in self.scenes]
        return {"orders": orders, "effects": dict(self.effects), "scenes": scenes, "ok": self.ok}


async def play(demo: Demo, say: Callable[[str], None]) -> Outcome:
    """Play all scenes, those that need not wait for each other side by side."""
    prefix = f"demo-{secrets.token_hex(2)}"
    first = await asyncio.gather(
        _confirmed(demo, f"{prefix}-1"),
        _twice_at_once(demo, f"{prefix}-2"),
        _declined(demo, f"{prefix}-3"),
        _refused_label(demo, f"{prefix}-4"),
    )
    for scene in first:
        say(f"  {scene.view['orderId']}: {scene.what}: {scene.view['message']}")
    second = await asyncio.gather(_same_again(demo, f"{prefix}-1"), _second_card(demo, f"{prefix}-3"))
    for scene in second:
        say(f"  {scene.view['orderId']}: {scene.what}: {scene.view['message']}")
    scenes = [first[0], second[0], first[1], first[2], second[1], first[3]]
    return Outcome(scenes, sum((scene.seen for scene in scenes), Counter()))


async def _confirmed(demo: Demo, order_id: str) -> Scene:
    await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    view = await settled(demo.gateway, order_id)
    return await _scene(demo, "an order", view, expected=CONFIRMED, status="confirmed")


async def _same_again(demo: Demo, order_id: str) -> Scene:
    before = await _count(demo, order_id)
    code, _ = await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    await _run(demo, order_id)
    view = await settled(demo.gateway, order_id)
    scene = await _scene(demo, "the same order again", view, expected=Counter(), status="confirmed", before=before)
    scene.ok = scene.ok and code == httpx.codes.OK
    return scene


async def _twice_at_once(demo: Demo, order_id: str) -> Scene:
    await asyncio.gather(_run(demo, order_id, EXAMPLE_ORDER), _run(demo, order_id, EXAMPLE_ORDER))
    view = await settled(demo.gateway, order_id)
    return await _scene(demo, "the same order twice at once", view, expected=CONFIRMED, status="confirmed")


async def _declined(demo: Demo, order_id: str) -> Scene:
    await demo.gateway.ask("PUT", f"/orders/{order_id}", {**EXAMPLE_ORDER, "paymentMethod": "pm_card_chargeDeclined"})
    view = await settled(demo.gateway, order_id)
    return await _scene(demo, "a declined card", view, expected=Counter({"slack.message": 1}), status="payment_failed")


async def _second_card(demo: Demo, order_id: str) -> Scene:
    before = await _count(demo, order_id)
    await demo.gateway.ask("POST", f"/orders/{order_id}/attempts", {"attempt": 2, "paymentMethod": "pm_card_visa"})
    view = await settled(demo.gateway, order_id)
    expected = CONFIRMED + Counter({"stripe.payment_canceled": 1})
    return await _scene(demo, "its second attempt, with another card", view, expected=expected, status="confirmed", before=before)


async def _refused_label(demo: Demo, order_id: str) -> Scene:
    shipping = {**EXAMPLE_ORDER["shipping"], "zip": REFUSED_ZIP}
    await demo.gateway.ask("PUT", f"/orders/{order_id}", {**EXAMPLE_ORDER, "shipping": shipping})
    view = await settled(demo.gateway, order_id)
    expected = Counter({"stripe.charge": 1, "stripe.refund": 1, "sendgrid.mail": 1, "slack.message": 1})
    return await _scene(demo, "a refused label, and the money back", view, expected=expected, status="refunded")


async def _run(demo: Demo, order_id: str, order: dict[str, Any] | None = None) -> None:
    """Start a run through Prefect's own API, as anybody may, and wait for its end."""
    found = await demo.prefect.get("/deployments/name/process-order/hub")
    found.raise_for_status()
    parameters = {"order_id": order_id} | ({"order": order} if order else {})
    begun = await demo.prefect.post(f"/deployments/{found.json()['id']}/create_flow_run", json={"parameters": parameters})
    begun.raise_for_status()
    run_id, deadline = begun.json()["id"], time.monotonic() + RUN_LIMIT_SECONDS
    while time.monotonic() < deadline:
        state = (await demo.prefect.get(f"/flow_runs/{run_id}")).json()["state"]
        if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return
        await asyncio.sleep(0.2)
    raise Problem(f"run {run_id} of order {order_id} did not end within {RUN_LIMIT_SECONDS} s; see the worker's log")


async def _count(demo: Demo, order_id: str) -> Counter[str]:
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await demo.sandbox.effects(order_id))


async def _scene(
    demo: Demo, what: str, view: dict[str, Any], *, expected: Counter[str], status: str, before: Counter[str] | None = None
) -> Scene:
    effects = await demo.sandbox.effects(view["orderId"])
    seen = Counter(f"{effect['provider']}.{effect['kind']}" for effect in effects) - (before or Counter())
    references = {f"{effect['provider']}.{effect['kind']}": effect["id"] for effect in effects}
    return Scene(what, view, seen, ok=view["status"] == status and seen == expected, references=references)
