"""What waits for a person's answer, and the answer of whoever has a key that may give it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.access import MAY_READ_APPROVALS, MayDecide
from gateway.starting import start
from hub.approval_views import ApprovalPage, ApprovalView, list_approvals, view_approval
from hub.approvals import ApprovalState
from hub.deciding import decide_approval

router = APIRouter(prefix="/approvals", tags=["approvals"])

ApprovalId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Decision(BaseModel):
    """Yes or no."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    approve: Annotated[bool, Field(strict=True)]


@router.get("", dependencies=[MAY_READ_APPROVALS])
async def get_approvals(
    state: ApprovalState | None = None,
    cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ApprovalPage:
    """Return questions, newest first, a page at a time."""
    return await list_approvals(state, cursor, limit)


@router.get("/{approval_id}", dependencies=[MAY_READ_APPROVALS])
async def get_approval(approval_id: ApprovalId) -> ApprovalView:
    """Return how the question stands."""
    return await view_approval(approval_id)


@router.post("/{approval_id}/decision", responses={409: {"description": "The key may not, or it was answered otherwise"}})
async def post_decision(approval_id: ApprovalId, decision: Decision, by: MayDecide, later: BackgroundTasks) -> ApprovalView:
    """Answer the question as the key that asks, which HUB_APPROVERS has to name; the same answer again changes nothing."""
    await decide_approval(approval_id, approve=decision.approve, by=by)
    approval = await view_approval(approval_id)
    later.add_task(start, approval.subject_kind, approval.subject_id)
    return approval
