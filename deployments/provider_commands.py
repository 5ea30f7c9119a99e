"""`hub providers`: whether each provider may be called now, how fast, and a person's word about it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators
from rich.console import Console
from rich.table import Table

from deployments import instance
from deployments.options import AsJson
from deployments.telling_stories import print_json
from hub.gate_changes import GateChange, gates_told_to
from hub.gate_views import Gate, gates, set_breaker
from hub.gate_views import limit as limit_gate
from hub.gate_views import pause as pause_gate
from hub.gate_views import resume as resume_gate
from hub.policies import BREAKER, POLICIES
from hub.recovery import in_recovery_since
from hub.settings import settings

providers = App(name="providers", help="Whether each provider may be called now, and how fast: list, pause, resume, limit, breaker.")

Rate = Annotated[float, Parameter(validator=validators.Number(gt=0))]
Burst = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@providers.command(name="list")
async def list_them(*, as_json: AsJson = False) -> None:
    """
    List the providers: whether the gate is open, why not, and how many calls may go through; and the policies in force.

    Args:
        as_json: Print it as JSON.
    """
    found = await gates()
    if as_json:
        listed = [gate.model_dump(mode="json") | {"state": gate.state} for gate in found]
        print_json({"providers": listed, "policies": [asdict(policy) for policy in POLICIES], "breaker": asdict(BREAKER)})
        return
    table = Table("provider", "gate", "why", "until", "failed lately", "limit")
    for gate in found:
        table.add_row(gate.provider, gate.state, gate.paused or gate.reason or "", *_numbers(gate))
    patience = Table("policy", "budget", "attempts", "first wait", "then", "longest wait")
    for policy in POLICIES:
        waits = (f"{policy.first_wait_seconds:g} s", f"x {policy.factor:g}", f"{policy.longest_wait_seconds:g} s")
        patience.add_row(policy.name, f"{policy.budget_seconds:g} s", str(policy.attempts), *waits)
    Console().print(table, patience)
    if (since := await in_recovery_since()) is not None:
        sys.stdout.write(f"in recovery since {since.astimezone():%Y-%m-%d %H:%M:%S}: none of them is asked anything (`hub recover end`)\n")


def _numbers(gate: Gate) -> tuple[str, str, str]:
    until = "" if gate.closed_until is None else f"{gate.closed_until.astimezone():%H:%M:%S}"
    failed = f"{gate.failures} of {gate.calls} calls" if gate.failures else "" if gate.breaks else "not counted"
    return until, failed, "" if gate.rate_per_second is None else f"{gate.rate_per_second:g} a second, {gate.burst} at once"


@providers.command
async def pause(provider: str, *, because: str = "by hand") -> None:
    """
    Call a provider no more until it is resumed; whatever needs it parks, and nothing is lost.

    Args:
        provider: Which, as `hub providers list` names it.
        because: Why, for whoever looks later.
    """
    async with _prefect_is_told():
        await pause_gate(provider, because)
    sys.stdout.write(f"{provider} is paused; go on with: hub providers resume {provider}\n")


@providers.command
async def resume(provider: str) -> None:
    """
    Open a provider's gate, whoever closed it, and wake what waits behind it.

    Args:
        provider: Which, as `hub providers list` names it.
    """
    async with _prefect_is_told():
        woken = await resume_gate(provider)
    sys.stdout.write(f"{provider} is open; {woken} orders and sign-ups go on with the next sweep\n")


@providers.command
async def limit(provider: str, rate: Rate | None = None, *, burst: Burst = 1) -> None:
    """
    Call a provider at most so often, whatever all workers have to do; without a rate, as often as there is need.

    Args:
        provider: Which, as `hub providers list` names it.
        rate: Calls a second, e.g. 10 or 0.5.
        burst: How many may come at once after a quiet time.
    """
    await limit_gate(provider, rate, burst)
    sys.stdout.write(f"{provider}: {'no limit' if rate is None else f'{rate:g} calls a second, {burst} at once'}\n")


@providers.command
async def breaker(provider: str, switch: Literal["on", "off"]) -> None:
    """
    Say whether too many failures close a provider's gate; they do unless you say otherwise.

    Args:
        provider: Which, as `hub providers list` names it.
        switch: off where the failures of some say nothing about the others, e.g. one customer's requests.
    """
    await set_breaker(provider, on=switch == "on")
    sys.stdout.write(f"{provider}: too many failures {'close' if switch == 'on' else 'do not close'} its gate\n")


@asynccontextmanager
async def _prefect_is_told() -> AsyncIterator[None]:
    """Prefect hears which gates the block has closed or opened, as far as it answers."""
    changes: list[GateChange] = []
    with gates_told_to(changes.append):
        yield
    instance.point_at_prefect(settings().home.expanduser().resolve())
    from blocks.hub_events import tell  # noqa: PLC0415 - imports Prefect

    for change in changes:
        await tell(change)
