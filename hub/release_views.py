"""Releases as the outside sees them: the same words in the gateway, the command line and the UI."""

from __future__ import annotations

from datetime import datetime

from hub.database import transaction
from hub.release_rows import NoSuchRelease
from hub.release_tables import ReleaseRow
from hub.releases import Environment, Ref, Release, ReleaseResult, Repository
from hub.subject_rows import as_it_is


class ReleaseView(ReleaseResult):
    """A release as the outside sees it: the result so far; ``resumeAt`` when the hub looks at it again by itself."""

    repository: Repository
    ref: Ref
    environment: Environment
    resume_at: datetime | None
    created_at: datetime


async def view_release(release_id: str) -> ReleaseView:
    """
    Return the release as it is now.

    Raises:
        NoSuchRelease: It does not exist.
    """
    async with transaction() as session:
        row = await session.get(ReleaseRow, release_id)
        if row is None:
            raise NoSuchRelease(release_id)
        release: Release = await as_it_is(session, row)
    asked = release.request
    return ReleaseView(
        **release.result().model_dump(),
        repository=asked.repository,
        ref=asked.ref,
        environment=asked.environment,
        resume_at=row.resume_at,
        created_at=row.created_at,
    )
