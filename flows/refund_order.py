"""Money back for one order, with somebody's approval where that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.process_order import go_on
from hub.approvals import FORM
from hub.deciding import Question, decide_approval, question_for
from hub.money import Money
from hub.orders import OrderId
from hub.refund_views import RefundView, view_refund
from hub.refunds import RefundId, RefundTerms, ask_refund
from hub.steps import DAY
from tasks.claiming import claimed

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


class Decision(RunInput):
    """The form in which somebody decides about a refund."""

    approve: bool = Field(default=False, title="Give the money back", description="Leave this off to reject the refund.")


@flow(name="refund-order", flow_run_name="refund {refund_id} of {order_id}", persist_result=True)
async def refund_order(order_id: OrderId, refund_id: RefundId, refund: RefundTerms | None = None) -> RefundView:
    """
    Give all or part of an order's payment back, once per refund id and never more than was paid.

    Above HUB_REFUND_ASKS_ABOVE somebody has to approve it: the run waits, holding nothing, for a form here or a button in Slack. What is
    typed here, or decided in the form, is noted as unattributed, because this page knows no users; so nobody approves here what was typed
    here.

    Args:
        order_id: The order.
        refund_id: Letters, digits, dot, underscore and dash; at most 64. The same id is the same refund.
        refund: How much and why, when it was not asked for through the gateway before.
    """
    if refund is not None:
        await ask_refund(order_id, refund_id, refund, by=FORM)
    await see_to(order_id)
    question = await question_for(order_id, refund_id, str(flow_run.id))
    if question is not None:
        answer = await asuspend_flow_run(wait_for_input=form_of(question), timeout=round(question.seconds + DAY))
        await decide_approval(question.approval_id, approve=answer.approve, by=FORM)
        await see_to(order_id)
    return ending(await view_refund(order_id, refund_id))  # type: ignore[return-value]  # Prefect takes the result out of the state


async def see_to(order_id: str) -> None:
    """Do what is due of the order: tell the team that it is asked, or give the money back."""
    async with claimed(order_id) as held:
        if held.subject.due:
            await go_on(held.subject)


def form_of(question: Question) -> type[Decision]:
    """Return the form for this question."""
    asked = f"**{question.what}**\n\nAsked for by {question.by}. Whoever asks does not decide."
    return Decision.with_initial_data(description=asked)


def ending(refund: RefundView) -> State[Any]:
    """Return the state that the run ends in, named after the refund's, e.g. ``Refunded``, ``Rejected``, ``Expired``."""
    by = "" if refund.decided_by is None else f", decided by {refund.decided_by}"
    money = Money(amount=refund.amount, currency=refund.currency)
    return Completed(name=refund.status.title(), message=f"{money}: {refund.status}{by}", data=refund)
