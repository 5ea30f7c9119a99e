"""Releases, and the looks for webhooks that did not get through; what is told early about a release wakes when it gets here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WAKE = """
CREATE OR REPLACE FUNCTION wake_early_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notices SET next_at = clock_timestamp() WHERE state = 'early' AND waits_for = ANY (
        CASE TG_TABLE_NAME
            WHEN 'effects' THEN ARRAY[to_jsonb(NEW)->>'provider' || ':' || (to_jsonb(NEW)->>'reference')]
            WHEN 'signups' THEN ARRAY['signup:' || (to_jsonb(NEW)->>'id')]
            WHEN 'releases' THEN ARRAY['release:' || (to_jsonb(NEW)->>'id')]
            ELSE ARRAY['order:' || (to_jsonb(NEW)->>'id'), 'shippo:tracking:' || (to_jsonb(NEW)->>'tracking_number')]
        END
    );
    RETURN NULL;
END
$$
"""
WAKE_BY_RELEASE = "CREATE TRIGGER releases_wake_early_notices AFTER INSERT ON releases FOR EACH ROW EXECUTE FUNCTION wake_early_notices()"


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("runs_without_progress", sa.Integer(), nullable=False),
        sa.Column("progressed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("attention", sa.Text(), nullable=True),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.BigInteger(), nullable=True),
        sa.Column("news_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("releases_due", "releases", ["resume_at"], unique=False, postgresql_where=sa.text("resume_at IS NOT NULL"))
    op.create_index("releases_by_status", "releases", ["status", "created_at", "id"], unique=False)
    op.create_table(
        "hook_looks",
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hook"),
    )
    op.execute(WAKE)
    op.execute(WAKE_BY_RELEASE)
