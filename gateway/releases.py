"""Releases in, how far they are out."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Response, status

from gateway.access import MAY_READ_RELEASES, MAY_WRITE_RELEASES, MayWriteReleases
from gateway.starting import start
from hub.release_views import ReleaseView, view_release
from hub.releases import ReleaseId, ReleaseRequest
from hub.releasing import go_on_with, keep_release
from hub.story import Event, story_of

router = APIRouter(prefix="/releases", tags=["releases"])


@router.put(
    "/{release_id}", dependencies=[MAY_WRITE_RELEASES], responses={201: {"description": "New"}, 409: {"description": "Other content"}}
)
async def put_release(release_id: ReleaseId, release: ReleaseRequest, response: Response, later: BackgroundTasks) -> ReleaseView:
    """Keep the release and start its process: 201 when it is new, 200 when the same came before, 409 when one with other content did."""
    kept = await keep_release(release_id, release)
    response.status_code = status.HTTP_201_CREATED if kept.new else status.HTTP_200_OK
    later.add_task(start, "release", release_id)
    return await view_release(release_id)


@router.get("/{release_id}", dependencies=[MAY_READ_RELEASES])
async def get_release(release_id: ReleaseId) -> ReleaseView:
    """Return how far the release is."""
    return await view_release(release_id)


@router.get("/{release_id}/timeline", dependencies=[MAY_READ_RELEASES])
async def get_timeline(release_id: ReleaseId) -> list[Event]:
    """Return everything that has happened to the release, oldest first."""
    await view_release(release_id)
    return await story_of(release_id, "release")


@router.post("/{release_id}/resume", status_code=status.HTTP_202_ACCEPTED)
async def post_resume(release_id: ReleaseId, by: MayWriteReleases, later: BackgroundTasks) -> ReleaseView:
    """Let a release that is parked or needed attention go on now, at a person's word."""
    await go_on_with(release_id, by=by)
    later.add_task(start, "release", release_id)
    return await view_release(release_id)
