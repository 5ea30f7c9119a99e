"""The tables of releases, and of the looks for webhooks about them that did not get through."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from hub.columns import moment
from hub.tables import SubjectColumns


class ReleaseRow(SubjectColumns, table=True):
    """
    A release of a service. ``status`` is that of its facets, stored beside them so that it can be searched.

    ``status_id``: GitHub's number of the last status that was told; ``news_at``: when anything was told last. ``changes`` counts how often
    the status has changed, and numbers what the team's message shows.
    """

    __tablename__ = "releases"
    __table_args__ = (
        Index("releases_due", "resume_at", postgresql_where=text("resume_at IS NOT NULL")),
        Index("releases_by_status", "status", "created_at", "id"),
        Index("releases_attention", "progressed_at", postgresql_where=text("attention IS NOT NULL")),
    )

    stage: str
    status_id: int = Field(default=0, sa_type=BigInteger)
    deployment_id: int | None = Field(default=None, sa_type=BigInteger)
    news_at: datetime | None = moment()
    changes: int = 1


class HookLookRow(SQLModel, table=True):
    """
    When it was last asked which deliveries of a repository's webhook had failed.

    ``seen_until`` is when the last of those was tried, in GitHub's time; what is not newer is not asked for again.
    """

    __tablename__ = "hook_looks"

    hook: str = Field(primary_key=True)
    looked_at: datetime = moment(required=True)
    seen_until: datetime = moment(required=True)
