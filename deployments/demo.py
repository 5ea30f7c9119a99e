"""`hub demo`: real orders, sign-ups and a release through the real stack, and what the providers saw of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from rich.console import Console

from deployments import instance
from deployments.demo_scenes import Demo, Scene, Told
from deployments.demo_story import play
from deployments.gateway_client import gateway_client
from deployments.layout import prepared
from deployments.options import AsJson
from deployments.sandbox_client import sandbox_client
from deployments.stack import local_stack
from deployments.stack_settings import GivenSettings
from deployments.telling_stories import print_json


async def demo(*, as_json: AsJson = False) -> int:
    """
    Run real orders, sign-ups and a release through the whole stack, show what happened, and stop.

    Uses the stack of `hub up` when one is running here, and one of its own on free ports otherwise.

    Args:
        as_json: Print one JSON object to standard output instead; progress goes to standard error.
    """
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    begun = time.monotonic()
    async with _stage(console) as stage:
        outcome = await play(stage, console.print)
    if as_json:
        print_json(outcome.as_json())
    else:
        _print(console, outcome.scenes, outcome.effects)
    verdict = "[bold green]All of it is as it should be.[/]" if outcome.ok else "[bold red]Not as it should be.[/]"
    console.print(
        f"{verdict} {time.monotonic() - begun:.0f} s. `make up` starts the stack to stay; `hub order place o-1` is a first order."
    )
    return 0 if outcome.ok else 1


@asynccontextmanager
async def _stage(console: Console) -> AsyncIterator[Demo]:
    home = prepared(GivenSettings().home)
    running = instance.written_down(home)
    if running is not None and instance.is_running(home):
        console.print(f"Using the stack that is running: Prefect {running['prefect_url']}")
        async with _connected(running) as stage:
            yield stage
        return
    console.print("Starting the hub on this machine …")
    async with local_stack(home, free_ports=True, say=console.print, settings={"pick_tickets": True}) as stack:
        console.print(f"Prefect {stack.prefect_url}  gateway {stack.gateway_url}  sandbox {stack.sandbox_url}  logs {home / 'logs'}")
        written = instance.written_down(home)
        assert written is not None, "a running stack has written itself down"  # noqa: S101 - local_stack's promise
        async with _connected(written) as stage:
            yield stage


@asynccontextmanager
async def _connected(facts: dict[str, Any]) -> AsyncIterator[Demo]:
    auth = None
    if facts["prefect_auth_string"]:
        user, _, password = facts["prefect_auth_string"].partition(":")
        auth = httpx.BasicAuth(user, password)
    async with (
        gateway_client(facts["gateway_url"], facts["gateway_key"]) as gateway,
        httpx.AsyncClient(base_url=facts["gateway_url"], timeout=10, trust_env=False) as door,
        sandbox_client(facts["sandbox_url"], facts["sandbox_token"]) as sandbox,
        httpx.AsyncClient(base_url=facts["prefect_api_url"], auth=auth, timeout=30, trust_env=False) as prefect,
    ):
        yield Demo(gateway, door, sandbox, prefect, pick_tickets=facts["pick_tickets"])


def _print(console: Console, scenes: list[Scene], effects: dict[str, int]) -> None:
    console.print()
    for scene in scenes:
        mark = "[green]✓[/]" if scene.ok else "[red]✗[/]"
        status, message = scene.view["status"], scene.view["message"]
        more = "" if message == status else f": {message}"
        console.print(f"{mark} [bold]{scene.what}[/]: {scene.id} is [bold]{status}[/]{more}")
        ids = [f"{name.partition('.')[2]} {reference}" for name, reference in scene.references.items()]
        if scene.view.get("trackingNumber"):
            ids.append(f"tracking number {scene.view['trackingNumber']}")
        console.print(f"    {', '.join(ids)}")
        seen = ", ".join(f"{count} {kind}" for kind, count in scene.seen.items()) or "no new effect"
        console.print(f"    the providers saw: {seen}")
        for line in (*map(_told, scene.told), *scene.notes):
            console.print(f"    {line}")
    console.print(f"\nIn all, the rehearsal providers counted {', '.join(f'{count} {kind}' for kind, count in effects.items())}.")


def _told(told: Told) -> str:
    calls = "called back once" if told.calls == 1 else f"called back {told.calls} times"
    return (
        f"{told.provider} {calls} with {told.kind}: {told.kept} kept, {told.facts} fact ({told.fact}), {told.seconds:.2f} s after the call"
    )
