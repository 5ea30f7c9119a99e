"""`hub approvals`: what waits for a person's answer, and the answer."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from deployments.gateway_client import gateway_client
from deployments.options import AsJson, Limit
from deployments.telling_stories import print_json
from hub.approvals import ApprovalState
from hub.money import Money

approvals = App(name="approvals", help="What waits for a person's answer: list, decide.")


@approvals.command(name="list")
async def list_them(
    *, state: ApprovalState = ApprovalState.OPEN, limit: Limit = 50, cursor: int | None = None, as_json: AsJson = False
) -> None:
    """
    List questions, newest first; those that are open, unless another state is named.

    Args:
        state: Only those that stand so: open, approved, rejected, expired, withdrawn.
        limit: How many.
        cursor: Go on where the last list ended.
        as_json: Print what GET /approvals answers.
    """
    async with gateway_client() as gateway:
        _, page = await gateway.ask("GET", "/approvals", state=state.value, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    table = Table("approval", "about", "amount", "why", "asked by", "state", "until")
    for one in page["approvals"]:
        about, amount = f"{one['what']} {one['item']} of {one['subjectKind']} {one['subjectId']}", _amount(one)
        stands = one["state"] if one["decidedBy"] is None else f"{one['state']} by {one['decidedBy']}"
        until = f"{datetime.fromisoformat(one['expiresAt']).astimezone():%Y-%m-%d %H:%M}"
        table.add_row(str(one["approvalId"]), about, amount, one["reason"] or "", one["requestedBy"], stands, until)
    Console().print(table if page["approvals"] else f"nothing is {state}")
    if page["cursor"] is not None:
        sys.stdout.write(f"there is more: --cursor {page['cursor']}\n")


@approvals.command
async def decide(approval_id: int, *, approve: Annotated[bool, Parameter(negative="--reject")], as_json: AsJson = False) -> None:
    """
    Answer a question, as the key that this command shows at the gateway (HUB_GATEWAY_KEY); HUB_APPROVERS has to name it.

    Whoever asks does not decide. The answer counts once, wherever it was given.

    Args:
        approval_id: Its number, as `hub approvals list` shows it.
        approve: Yes, or no.
        as_json: Print what the gateway answers.
    """
    async with gateway_client() as gateway:
        _, one = await gateway.ask("POST", f"/approvals/{approval_id}/decision", {"approve": approve})
    if as_json:
        print_json(one)
    else:
        by = f" by {one['decidedBy']}" if one["decidedBy"] else ""
        sys.stdout.write(f"{one['subjectId']}: {one['what']} {one['item']} of {_amount(one)} is {one['state']}{by}\n")


def _amount(one: dict[str, Any]) -> str:
    return str(Money(amount=one["amount"], currency=one["currency"]))
