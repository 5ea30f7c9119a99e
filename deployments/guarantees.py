"""`hub guarantees`: what the hub promises, where that is enforced, and what can go wrong all the same; read from the code that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from blocks.provider_account import ProviderAccount
from blocks.transports import GuardedTransport
from deployments.accounts import ACCOUNTS
from hub.beginning import begin
from hub.claims import check_claim
from hub.database import steadfast
from hub.decisions import begin_undo
from hub.due import due_subjects
from hub.effects import STEPS, Terms
from hub.gates import pass_gate
from hub.handling import handle_some
from hub.inbox import keep
from hub.labels import buy_best
from hub.lost_answers import RESIDUE, WhenLost, when_lost
from hub.policies import INTERNAL
from hub.settings import settings
from hub.settling import settle
from hub.steps import HOUR, Step
from hub.undoing import plan_undo

WIDTH = 150
"""Whatever the terminal: a promise that is cut is none."""


class Promise(NamedTuple):
    """A sentence, and what enforces it."""

    sentence: str
    enforced_by: Callable[..., Any]

    @property
    def where(self) -> str:
        """The module and the name of what enforces it."""
        return f"{self.enforced_by.__module__}.{self.enforced_by.__qualname__}"


def promises() -> list[Promise]:
    """Return what holds for every step, with the limits that are in force."""
    window, person = settings().send_window_seconds, settings().unknown_seconds / HOUR
    database = INTERNAL.budget_seconds * settings().time_scale
    return [
        Promise("Before a provider is asked, the intent is committed with the complete request; if that fails, nothing is sent.", begin),
        Promise(f"Nothing is sent later than {window:g} s after that commit.", GuardedTransport),
        Promise("What came of a call is committed, also when its run is cancelled, and whoever learns it.", settle),
        Promise(f"It is not cut off by a cancellation, nor lost while the database is away for less than {database:g} s.", steadfast),
        Promise(
            "One run at a time decides about an order, a sign-up or a release; what an overtaken run decides does not count.", check_claim
        ),
        Promise("A run that died is followed by another; what got nowhere goes to a person.", due_subjects),
        Promise("A provider that fails, is paused or is limited burns no attempt: whatever needs it waits.", pass_gate),
        Promise("Who sells no label is followed by the next best carrier; never before it is known that none was bought.", buy_best),
        Promise("What providers call back about is kept before it is answered, once for each event.", keep),
        Promise("It is applied in the commit that marks it handled; late, repeated and shuffled calls end alike.", handle_some),
        Promise("Only a listed business refusal undoes anything, and the intended refund is in the commit of that decision.", begin_undo),
        Promise(
            "A label that is not used goes back, also one that is heard of late; that, too, is in the commit of the decision.", plan_undo
        ),
        Promise(f"What nobody knows for {person:g} h goes to a person: hub attention list, hub order resolve.", begin),
    ]


class StepPromise(NamedTuple):
    """What holds for one step of a process when its answer is lost."""

    process: str
    step: str
    provider: str
    when_lost: WhenLost


def step_promises() -> list[StepPromise]:
    """Return what holds for every step of every process."""
    return [
        StepPromise(process, step.name, step.provider, when_lost(step, _terms(step)))
        for process, steps in STEPS.items()
        for step in steps.values()
    ]


def _terms(step: Step) -> Terms:
    account: type[ProviderAccount] = ACCOUNTS[step.provider]
    return Terms(timeout_seconds=0, late_seconds=0, keeps_keys=account.keeps_idempotency_keys, can_be_asked=account.can_be_asked)


def guarantees() -> None:
    """Print what the hub promises, where that is enforced, and what can go wrong all the same."""
    whole = Table("the hub promises", "enforced by", box=None)
    for promise in promises():
        whole.add_row(promise.sentence, promise.where)
    lost = Table("when an answer is lost", "steps", "what can go wrong all the same", box=None)
    for way in WhenLost:
        steps = [f"{promise.process} {promise.step}" for promise in step_promises() if promise.when_lost is way]
        lost.add_row(way, ", ".join(steps), RESIDUE[way])
        lost.add_section()
    Console(width=WIDTH).print(whole, "", lost)
