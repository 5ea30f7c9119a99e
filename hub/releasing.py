"""Releases come in here, whichever door they use: kept once, compared when they come again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.database import transaction
from hub.incoming import differences
from hub.intake import NothingToResume
from hub.release_facets import ReleaseFacets
from hub.release_rows import facets_of, write_facets
from hub.release_tables import ReleaseRow
from hub.releases import ReleaseRequest
from hub.subject_rows import NEW, locked, taken_up

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


class ReleaseDiffers(Exception):
    """The id is taken by a release with other content. ``paths`` says where they differ, without values."""

    def __init__(self, release_id: str, paths: list[str]) -> None:
        super().__init__(release_id, paths)
        self.release_id, self.paths = release_id, paths

    def __str__(self) -> str:
        return f"release {self.release_id} exists with other content; it differs in {', '.join(self.paths)}. Use another id."


@dataclass(frozen=True)
class Kept:
    """``new`` is False when the same release had come before."""

    release_id: str
    new: bool


def id_made_from(run_id: str) -> str:
    """Return the id of the release that a flow run was started for without naming one."""
    return f"run-{run_id}"


async def keep_release(release_id: str, request: ReleaseRequest) -> Kept:
    """
    Keep the release, due at once; the same release again changes nothing.

    Raises:
        ReleaseDiffers: The id belongs to a release with other content.
    """
    stored, facets = request.as_stored(), ReleaseFacets()
    async with transaction() as session:
        added = await session.exec(
            insert(ReleaseRow)
            .values(
                id=release_id,
                correlation_id=uuid4().hex,
                request=stored,
                stage=facets.stage,
                status_id=facets.status_id,
                status=facets.status,
                message="received",
                changes=1,
                resume_at=func.clock_timestamp(),
                **NEW,
            )
            .on_conflict_do_nothing()
            .returning(col(ReleaseRow.id))
        )
        if added.scalar_one_or_none() is not None:
            return Kept(release_id, new=True)
        known = (await session.exec(select(col(ReleaseRow.request)).where(col(ReleaseRow.id) == release_id))).one()
        if paths := differences(known, stored):
            raise ReleaseDiffers(release_id, paths)
        return Kept(release_id, new=False)


async def go_on_with(release_id: str, *, by: str | None = None) -> None:
    """
    Let a release that needs attention, or waits, go on now, at the word of ``by``.

    Raises:
        NoSuchRelease: It does not exist.
        NothingToResume: It waits for nothing of ours.
    """
    async with transaction() as session:
        row, now = await locked(session, release_id, "release")
        if row.attention is None and row.resume_at is None:
            raise NothingToResume(release_id, row.status, "release")
        await resume(session, row, now, by)


async def resume(session: AsyncSession, row: ReleaseRow, now: datetime, by: str | None) -> None:
    """Let the locked release go on at the word of ``by``: nobody has to look at it any more."""
    row.attention = None
    await taken_up(session, row, now, by)
    write_facets(row, facets_of(row))
