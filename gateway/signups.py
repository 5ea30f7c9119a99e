"""Sign-ups in, the report out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Response, status

from gateway.access import MAY_READ_SIGNUPS, MAY_WRITE_SIGNUPS, MayWriteSignups
from gateway.starting import start
from hub.enrolling import enrol, go_on_with
from hub.signup_facets import Critical
from hub.signup_views import SignupView, view_signup
from hub.signups import SignupId, SignupRequest
from hub.story import Event, story_of

router = APIRouter(prefix="/signups", tags=["sign-ups"])


@router.put(
    "/{signup_id}", dependencies=[MAY_WRITE_SIGNUPS], responses={201: {"description": "New"}, 409: {"description": "Other content"}}
)
async def put_signup(
    signup_id: SignupId,
    signup: SignupRequest,
    response: Response,
    later: BackgroundTasks,
    critical: Annotated[list[Critical] | None, Query(description="Steps without which it fails; profile always is one.")] = None,
) -> SignupView:
    """
    Keep the sign-up and start its process: 201 when it is new, 200 when the same came before, 409 when there is one with other content.

    The mail address decides: it may have come before under another id, which the answer names.
    """
    enrolled = await enrol(signup_id, signup, critical=critical)
    response.status_code = status.HTTP_201_CREATED if enrolled.new else status.HTTP_200_OK
    later.add_task(start, "signup", enrolled.signup_id)
    return await view_signup(enrolled.signup_id)


@router.get("/{signup_id}", dependencies=[MAY_READ_SIGNUPS])
async def get_signup(signup_id: SignupId) -> SignupView:
    """Return what became of the sign-up so far."""
    return await view_signup(signup_id)


@router.get("/{signup_id}/timeline", dependencies=[MAY_READ_SIGNUPS])
async def get_timeline(signup_id: SignupId) -> list[Event]:
    """Return everything that has happened to the sign-up, oldest first."""
    await view_signup(signup_id)
    return await story_of(signup_id, "signup")


@router.post("/{signup_id}/resume", status_code=status.HTTP_202_ACCEPTED)
async def post_resume(signup_id: SignupId, by: MayWriteSignups, later: BackgroundTasks) -> SignupView:
    """Let a sign-up that is parked, needed attention, or failed for want of the profile service go on now, at a person's word."""
    await go_on_with(signup_id, by=by)
    later.add_task(start, "signup", signup_id)
    return await view_signup(signup_id)
