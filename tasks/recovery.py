"""What the sweep does: start what is due, clear away what died. Idempotent, so that two sweeps at once do no harm."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect import get_run_logger, task

from blocks.process_server import mark_crashed, start_subject_run, unfinished_runs
from hub.due import DueSubject, dead_runs, due_subjects, give_up_the_hopeless, live_runs, skip_fence
from hub.gate_views import wake_behind_opened_gates
from hub.kinds import KINDS
from hub.overdue import call_for_overdue_parcels
from hub.owed import expire_payments
from hub.policies import INTERNAL
from hub.unheard import mail_what_is_unheard
from hub.values import Frozen
from tasks.memory import worth_another_transaction

UNCLAIMED_SECONDS = 60.0
"""How long a run may be Pending or Running without holding an order before it counts as dead: starting an interpreter takes 10 s."""

ASKED_AT_ONCE = 5
"""So many runs are asked of Prefect side by side."""


class Swept(Frozen):
    """What a sweep did."""

    crashed: int
    asked_for: int
    notices: int
    started: int
    attention: int
    overdue: int
    expired: int
    cleared: int
    results: int


@task(name="clear-dead-runs", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def clear_dead_runs() -> int:
    """Set runs that no longer live to Crashed: those whose lease ran out, and those that never took anything. Returns how many."""
    dead = await dead_runs()
    alive = await live_runs()
    for kind in KINDS.values():
        for run in await unfinished_runs(kind.flow, older_than_seconds=UNCLAIMED_SECONDS):
            if str(run.id) not in alive:
                dead.append(str(run.id))
    cleared = [run_id for run_id in dict.fromkeys(dead) if await mark_crashed(run_id, "its process died; the sweep started another run")]
    for run_id in cleared:
        get_run_logger().warning("flow run %s had died and is set to Crashed", run_id)
    return len(cleared)


@task(name="start-what-is-due", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def start_what_is_due() -> int:
    """Start a run for every subject that is due and free, those behind a gate that has opened among them; returns how many."""
    if woken := await wake_behind_opened_gates():
        get_run_logger().info("%d subjects that had parked behind a closed gate go on", woken)
    return await _start_all(await due_subjects())


async def start_these(subjects: set[tuple[str, str]]) -> int:
    """Start a run for each of these that is due and free, given as kind and id; returns how many. Else, the sweep does it."""
    try:
        return await _start_all(await due_subjects(only=subjects)) if subjects else 0
    except Exception as error:  # noqa: BLE001 - the rows are the truth; a run that was not started costs latency, never an order
        get_run_logger().warning("the runs of %d subjects are left to the sweep (%s)", len(subjects), type(error).__name__)
        return 0


@task(name="give-up-the-hopeless", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def call_for_attention() -> int:
    """Hand what got nowhere to a person, and mail what needs one where Slack does not take the call; returns how many got nowhere."""
    for kind, subject_id in await mail_what_is_unheard():
        get_run_logger().warning("Slack has not taken the call for attention to %s %s; it is mailed", kind, subject_id)
    hopeless = await give_up_the_hopeless()
    for kind, subject_id in hopeless:
        get_run_logger().error("%s %s needs attention", kind, subject_id)
    return len(hopeless)


@task(name="call-for-overdue-parcels", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def see_to_overdue_parcels() -> int:
    """Hand the parcels that nobody moves on in time to a person; returns how many."""
    overdue = await call_for_overdue_parcels()
    for order_id in overdue:
        get_run_logger().warning("the parcel of order %s stands still", order_id)
    return len(overdue)


@task(name="expire-unfinished-payments", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def expire_unfinished_payments() -> int:
    """Make payments that their customers have not finished in time due to be called off; returns how many."""
    expired = await expire_payments()
    for kind, subject_id in expired:
        get_run_logger().info("the payment of %s %s was not finished in time", kind, subject_id)
    return len(expired)


async def _start_all(subjects: list[DueSubject]) -> int:
    asking = asyncio.Semaphore(ASKED_AT_ONCE)

    async def start(subject: DueSubject) -> bool:
        async with asking:
            return await _start(subject)

    return sum(await asyncio.gather(*(start(subject) for subject in subjects)))


async def _start(subject: DueSubject) -> bool:
    """Start the run of this claim, once. A run of the same claim that ended without taking the subject makes room for the next."""
    asked_at = datetime.now(UTC)
    run = await start_subject_run(subject.kind, subject.id, subject.run_key)
    if run.state is not None and run.state.is_final():
        following = await skip_fence(subject)
        return following is not None and await _start(following)
    started = run.created is not None and run.created >= asked_at
    if started:
        get_run_logger().info("%s %s is due: flow run %s started", subject.kind, subject.id, run.id)
    return started
