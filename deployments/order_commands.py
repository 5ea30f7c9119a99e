"""`hub order` and `hub orders`: place an order, see how far it is, hear its whole story, try it anew, give its money back."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from cyclopts import App
from rich.console import Console
from rich.table import Table

from deployments.examples import EXAMPLE_ORDER
from deployments.gateway_client import GatewayClient, gateway_client
from deployments.options import AsJson, Flag, Happened, Limit, RequestFile
from deployments.problems import Problem
from deployments.request_files import read_request
from deployments.subject_commands import explain_subject, resolve_subject, show_subject
from deployments.telling_stories import print_json
from hub.facets import Status
from hub.money import Money

order = App(name="order", help="One order: place, show, explain, retry, cancel, refund, resolve.")
orders = App(name="orders", help="All orders.")

MOVING = ("received", "paid", "cancelling", "refunding")


@order.command
async def place(order_id: str, *, file: RequestFile = None, payment_method: str | None = None, wait: Flag = False) -> None:
    """
    Place an order; the same order again changes nothing.

    Args:
        order_id: Letters, digits, dot, underscore and dash; at most 64.
        file: The order as JSON; `-` reads standard input. Without it, an example order is placed.
        payment_method: Pay with this instead, e.g. pm_card_chargeDeclined.
        wait: Stay until the order rests.
    """
    body = dict(EXAMPLE_ORDER) if file is None else read_request(file)
    if payment_method is not None:
        body["paymentMethod"] = payment_method
    async with gateway_client() as gateway:
        code, view = await gateway.ask("PUT", f"/orders/{order_id}", body)
        _say("placed" if code == HTTPStatus.CREATED else "known already, unchanged", view)
        if wait:
            _say("now", await settled(gateway, order_id))


@order.command
async def show(order_id: str, *, as_json: AsJson = False) -> None:
    """
    Show how far an order is.

    Args:
        order_id: The order.
        as_json: Print what GET /orders/{id} answers.
    """
    await show_subject("order", order_id, as_json=as_json)


@order.command
async def explain(order_id: str, *, as_json: AsJson = False) -> None:
    """
    Tell an order's whole story: facts, calls to providers, looks and runs, oldest first.

    Args:
        order_id: The order.
        as_json: Print what GET /orders/{id}/timeline answers.
    """
    await explain_subject("order", order_id, as_json=as_json)


@order.command
async def retry(order_id: str, *, payment_method: str | None = None) -> None:
    """
    Try an order anew: a failed payment or missing stock gets a new attempt, anything else that waits goes on at once.

    Args:
        order_id: The order.
        payment_method: Pay with this from now on; only for a new attempt.
    """
    async with gateway_client() as gateway:
        _, view = await gateway.ask("GET", f"/orders/{order_id}")
        if view["status"] in ("payment_failed", "out_of_stock"):
            body: dict[str, Any] = {"attempt": view["attempt"] + 1, "paymentMethod": payment_method}
            _, view = await gateway.ask("POST", f"/orders/{order_id}/attempts", body)
            _say(f"attempt {view['attempt']} begins", view)
            return
        if payment_method is not None:
            raise Problem(f"order {order_id} is {view['status']}: only a failed payment takes another payment method")
        _, view = await gateway.ask("POST", f"/orders/{order_id}/resume")
        _say("goes on", view)


@order.command
async def cancel(order_id: str, *, reason: str | None = None) -> None:
    """
    Undo an order that its customer does not want any more, as long as the carrier does not have the parcel.

    Args:
        order_id: The order.
        reason: For the team; nothing personal belongs here.
    """
    async with gateway_client() as gateway:
        _, view = await gateway.ask("POST", f"/orders/{order_id}/cancel", {"reason": reason})
    _say("noted", view)


@order.command
async def refund(
    order_id: str, *, amount: int | None = None, reason: str | None = None, restock: Flag = False, refund_id: str | None = None
) -> None:
    """
    Give all or part of an order's payment back.

    Args:
        order_id: The order.
        amount: In minor units, e.g. 1250 for 12.50 USD; without it, all that has not gone back yet.
        reason: For the team; nothing personal belongs here.
        restock: The goods came back: put all of the order's on the shelf.
        refund_id: The refund's id; the same again is the same refund. By default a new one.
    """
    wanted = {"refundId": refund_id or f"r-{uuid4().hex[:8]}", "amount": amount, "reason": reason, "restock": restock or None}
    async with gateway_client() as gateway:
        body = {name: value for name, value in wanted.items() if value is not None}
        _, view = await gateway.ask("POST", f"/orders/{order_id}/refunds", body)
    money = Money(amount=view["amount"], currency=view["currency"])
    sys.stdout.write(f"{order_id}: refund {view['refundId']} of {money} is {view['status']}\n")


@order.command
async def resolve(order_id: str, step: str, *, happened: Happened, reference: str | None = None, by: str = "") -> None:
    """
    Tell the ledger what came of a step of which nobody knows, or which you have seen to yourself; then the order goes on.

    Args:
        order_id: The order.
        step: As the order's attention and `hub order explain` name it, e.g. mail or refund.
        happened: Whether it has happened at the provider; if not, it is asked for again.
        reference: The provider's id of what has happened, e.g. a message id or re_….
        by: Who says so; by default the user at this terminal.
    """
    await resolve_subject("order", order_id, step, happened=happened, reference=reference, by=by)


@orders.command(name="list")
async def list_them(*, status: Status | None = None, limit: Limit = 50, cursor: str | None = None, as_json: AsJson = False) -> None:
    """
    List orders, newest first.

    Args:
        status: Only those of this status, e.g. needs_attention.
        limit: How many.
        cursor: Go on where the last list ended.
        as_json: Print what GET /orders answers.
    """
    async with gateway_client() as gateway:
        _, page = await gateway.ask("GET", "/orders", status=status and status.value, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    table = Table("order", "status", "amount", "message")
    for view in page["orders"]:
        table.add_row(view["orderId"], view["status"], str(Money(amount=view["amount"], currency=view["currency"])), view["message"])
    Console().print(table if page["orders"] else f"no order is {status}" if status else "there are no orders")
    if page["cursor"] is not None:
        sys.stdout.write(f"there is more: --cursor {page['cursor']}\n")


async def settled(gateway: GatewayClient, order_id: str, *, within_seconds: float = 120) -> dict[str, Any]:
    """
    Return the order once nothing of it is under way.

    Raises:
        Problem: It is still under way after ``within_seconds``.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        _, view = await gateway.ask("GET", f"/orders/{order_id}")
        if view["status"] not in MOVING and (view["resumeAt"] is None or datetime.fromisoformat(view["resumeAt"]) > datetime.now(UTC)):
            return dict(view)  # what is due later is a courtesy to make up for
        await asyncio.sleep(0.1)
    raise Problem(
        f"order {order_id} is still {view['status']} after {within_seconds:.0f} s: {view['message']}; see `hub order explain {order_id}`"
    )


def _say(what: str, view: dict[str, Any]) -> None:
    sys.stdout.write(f"{view['orderId']}: {what}; {view['status']}: {view['message']}\n")
