"""What the demo plays: orders (also twice at once, a declined card, a refused label), callbacks, sign-ups, and a release."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from deployments.demo_callbacks import called_off, delivered, resumed
from deployments.demo_releases import deployed
from deployments.demo_scenes import Demo, Outcome, Scene, count_effects, scene_of
from deployments.demo_signups import partly_failed, registered, texted
from deployments.examples import EXAMPLE_ORDER
from deployments.order_commands import settled
from deployments.problems import Problem

REFUSED_ZIP = "00000"
"""The rehearsal carrier refuses a label to this zip code."""
RUN_LIMIT_SECONDS = 120


async def play(demo: Demo, say: Callable[[str], None]) -> Outcome:
    """Play all scenes, those that need not wait for each other side by side."""
    prefix = f"demo-{secrets.token_hex(2)}"
    orders, signups, releases = await asyncio.gather(_orders(demo, prefix, say), _signups(demo, prefix, say), _releases(demo, prefix, say))
    scenes = [*orders, *signups, *releases]
    return Outcome(scenes, sum((scene.seen for scene in scenes), Counter()))


async def _orders(demo: Demo, prefix: str, say: Callable[[str], None]) -> list[Scene]:
    first = await asyncio.gather(
        _confirmed(demo, f"{prefix}-1"),
        _twice_at_once(demo, f"{prefix}-2"),
        _declined(demo, f"{prefix}-3"),
        _refused_label(demo, f"{prefix}-4"),
    )
    _say(first, say)
    second = await asyncio.gather(_same_again(demo, f"{prefix}-1"), _second_card(demo, f"{prefix}-3"))
    _say(second, say)
    third = await asyncio.gather(delivered(demo, f"{prefix}-5"), resumed(demo, f"{prefix}-6"), called_off(demo, f"{prefix}-11"))
    _say(third, say)
    return [first[0], second[0], first[1], first[2], second[1], first[3], *third]


async def _signups(demo: Demo, prefix: str, say: Callable[[str], None]) -> list[Scene]:
    scenes = await asyncio.gather(
        registered(demo, f"{prefix}-7"),
        texted(demo, f"{prefix}-8"),
        partly_failed(demo, f"{prefix}-9"),
    )
    _say(scenes, say)
    return list(scenes)


async def _releases(demo: Demo, prefix: str, say: Callable[[str], None]) -> list[Scene]:
    scenes = [await deployed(demo, f"{prefix}-10")]
    _say(scenes, say)
    return scenes


def _say(scenes: Sequence[Scene], say: Callable[[str], None]) -> None:
    for scene in scenes:
        say(f"  {scene.id}: {scene.what}: {scene.view['message']}")


async def _confirmed(demo: Demo, order_id: str) -> Scene:
    await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    view = await settled(demo.gateway, order_id)
    return await scene_of(demo, "an order", view, expected=demo.confirmed, status="confirmed")


async def _same_again(demo: Demo, order_id: str) -> Scene:
    before = await count_effects(demo, order_id)
    code, _ = await demo.gateway.ask("PUT", f"/orders/{order_id}", EXAMPLE_ORDER)
    await _run(demo, order_id)
    view = await settled(demo.gateway, order_id)
    scene = await scene_of(demo, "the same order again", view, expected=Counter(), status="confirmed", before=before)
    scene.ok = scene.ok and code == httpx.codes.OK
    return scene


async def _twice_at_once(demo: Demo, order_id: str) -> Scene:
    await asyncio.gather(_run(demo, order_id, EXAMPLE_ORDER), _run(demo, order_id, EXAMPLE_ORDER))
    view = await settled(demo.gateway, order_id)
    return await scene_of(demo, "the same order twice at once", view, expected=demo.confirmed, status="confirmed")


async def _declined(demo: Demo, order_id: str) -> Scene:
    await demo.gateway.ask("PUT", f"/orders/{order_id}", {**EXAMPLE_ORDER, "paymentMethod": "pm_card_chargeDeclined"})
    view = await settled(demo.gateway, order_id)
    return await scene_of(demo, "a declined card", view, expected=Counter({"slack.message": 1}), status="payment_failed")


async def _second_card(demo: Demo, order_id: str) -> Scene:
    before = await count_effects(demo, order_id)
    await demo.gateway.ask("POST", f"/orders/{order_id}/attempts", {"attempt": 2, "paymentMethod": "pm_card_visa"})
    view = await settled(demo.gateway, order_id)
    expected = demo.confirmed - Counter({"slack.message": 1}) + Counter({"stripe.payment_canceled": 1, "slack.message_updated": 1})
    return await scene_of(demo, "its second attempt, with another card", view, expected=expected, status="confirmed", before=before)


async def _refused_label(demo: Demo, order_id: str) -> Scene:
    shipping = {**EXAMPLE_ORDER["shipping"], "zip": REFUSED_ZIP}
    await demo.gateway.ask("PUT", f"/orders/{order_id}", {**EXAMPLE_ORDER, "shipping": shipping})
    view = await settled(demo.gateway, order_id)
    expected = Counter({"stripe.charge": 1, "stripe.refund": 1, "sendgrid.mail": 1, "slack.message": 1})
    return await scene_of(demo, "a refused label, and the money back", view, expected=expected, status="refunded")


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
