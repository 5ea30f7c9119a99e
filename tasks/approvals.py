"""The forms in the Prefect UI in which somebody approves: shown while there is a question, closed when it was answered otherwise."""

from __future__ import annotations

from prefect import get_run_logger, task

from blocks.process_server import resume_waiting, start_run
from hub.deciding import Form, expire_approvals, form_closed, forms_to_close, forms_to_show
from hub.policies import INTERNAL, RESTART
from tasks.memory import worth_another_transaction

DEPLOYMENT = "refund-order/hub"


@task(name="see-to-approvals", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def see_to_approvals() -> int:
    """End the questions that nobody answered in time, and let each form be there as long as its question is; returns how many ended."""
    expired = await expire_approvals()
    if expired:
        get_run_logger().warning("%d approvals have expired", expired)
    for form in await forms_to_close():
        if await resume_waiting(form.run_id or "", {"approve": False}):  # its run finds the question answered, and asks nothing
            await form_closed(form)
    for form in await forms_to_show():
        await _show(form)
    return expired


async def _show(form: Form) -> None:
    """Start the run that shows the form, once; one that ended without noting that it does makes room for the next, up to eight."""
    for number in range(RESTART.attempts):
        key = form.key if number == 0 else f"{form.key}:{number}"
        run = await start_run(DEPLOYMENT, {"order_id": form.order_id, "refund_id": form.refund_id}, key=key)
        if run.state is None or not run.state.is_final():
            return
    get_run_logger().error("no run shows a form for refund %s of order %s; it can be decided in Slack", form.refund_id, form.order_id)
