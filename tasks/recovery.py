"""What the sweep does: start what is due, clear away what died. Idempotent, so that two sweeps at once do no harm."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task

from blocks.process_server import mark_crashed, start_order_run, unfinished_runs
from hub.due import DueOrder, dead_runs, due_orders, give_up_the_hopeless, live_runs, skip_fence
from hub.owed import expire_payments
from hub.policies import INTERNAL
from hub.values import Frozen
from tasks.memory import worth_another_transaction

UNCLAIMED_SECONDS = 60.0
"""How long a run may be Pending or Running without holding an order before it counts as dead: starting an interpreter takes 10 s."""


class Swept(Frozen):
    """What a sweep did."""

    crashed: int
    notices: int
    started: int
    attention: int
    expired: int


@task(name="clear-dead-runs", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def clear_dead_runs() -> int:
    """Set runs that no longer live to Crashed: those whose lease ran out, and those that never took an order. Returns how many."""
    dead = await dead_runs()
    alive = await live_runs()
    for run in await unfinished_runs("process-order", older_than_seconds=UNCLAIMED_SECONDS):
        if str(run.id) not in alive:
            dead.append(str(run.id))
    cleared = [run_id for run_id in dict.fromkeys(dead) if await mark_crashed(run_id, "its process died; the sweep started another run")]
    for run_id in cleared:
        get_run_logger().warning("flow run %s had died and is set to Crashed", run_id)
    return len(cleared)


@task(name="start-due-orders", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def start_due_orders() -> int:
    """Start a run for every order that is due and free; returns how many."""
    return sum([await _start(order) for order in await due_orders()])


async def start_orders(order_ids: list[str]) -> int:
    """Start a run for each of these orders that is due and free; returns how many. When Prefect does not answer, the sweep does it."""
    try:
        return sum([await _start(order) for order in await due_orders(only=order_ids)]) if order_ids else 0
    except Exception as error:  # noqa: BLE001 - the rows are the truth; a run that was not started costs latency, never an order
        get_run_logger().warning("the runs of %d orders are left to the sweep (%s)", len(order_ids), type(error).__name__)
        return 0


@task(name="give-up-the-hopeless", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def call_for_attention() -> int:
    """Hand orders that got nowhere to a person; returns how many."""
    hopeless = await give_up_the_hopeless()
    for order_id in hopeless:
        get_run_logger().error("order %s needs attention", order_id)
    return len(hopeless)


@task(name="expire-unfinished-payments", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def expire_unfinished_payments() -> int:
    """Make payments that their customers have not finished in time due to be called off; returns how many."""
    expired = await expire_payments()
    for order_id in expired:
        get_run_logger().info("the payment of order %s was not finished in time", order_id)
    return len(expired)


async def _start(order: DueOrder) -> bool:
    """Start the run of this claim, once. A run of the same claim that ended without taking the order makes room for the next."""
    asked_at = datetime.now(UTC)
    run = await start_order_run(order.order_id, order.run_key)
    if run.state is not None and run.state.is_final():
        following = await skip_fence(order)
        return following is not None and await _start(following)
    started = run.created is not None and run.created >= asked_at
    if started:
        get_run_logger().info("order %s is due: flow run %s started", order.order_id, run.id)
    return started
