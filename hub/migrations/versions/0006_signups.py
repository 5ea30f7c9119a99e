"""Sign-ups, their registrations and the log of their operations; what is told early about a sign-up wakes when it gets here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WAKE = """
CREATE OR REPLACE FUNCTION wake_early_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notices SET next_at = clock_timestamp() WHERE state = 'early' AND waits_for = ANY (
        CASE TG_TABLE_NAME
            WHEN 'effects' THEN ARRAY[to_jsonb(NEW)->>'provider' || ':' || (to_jsonb(NEW)->>'reference')]
            WHEN 'signups' THEN ARRAY['signup:' || (to_jsonb(NEW)->>'id')]
            ELSE ARRAY['order:' || (to_jsonb(NEW)->>'id'), 'shippo:tracking:' || (to_jsonb(NEW)->>'tracking_number')]
        END
    );
    RETURN NULL;
END
$$
"""
WAKE_BY_SIGNUP = "CREATE TRIGGER signups_wake_early_notices AFTER INSERT ON signups FOR EACH ROW EXECUTE FUNCTION wake_early_notices()"


def upgrade() -> None:
    outcomes = ("profile", "payment", "welcome", "confirmation", "verification", "records", "hold")
    op.create_table(
        "signups",
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
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("critical", postgresql.JSONB(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("payment_method", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in outcomes),
        sa.Column("codes", postgresql.JSONB(), nullable=False),
        sa.Column("notifications", postgresql.JSONB(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("next_action", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email", name="signups_one_per_email"),
    )
    op.create_index("signups_due", "signups", ["resume_at"], unique=False, postgresql_where=sa.text("resume_at IS NOT NULL"))
    op.create_index("signups_by_status", "signups", ["status", "created_at", "id"], unique=False)
    op.create_table(
        "registrations",
        sa.Column("signup_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("profile_created", sa.Boolean(), nullable=False),
        sa.Column("payment_processed", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("errors", postgresql.JSONB(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["signup_id"], ["signups.id"]),
        sa.PrimaryKeyConstraint("signup_id"),
    )
    op.create_table(
        "activities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("signup_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["signup_id"], ["signups.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("signup_id", "operation", "outcome", name="activities_once"),
    )
    op.execute(WAKE)
    op.execute(WAKE_BY_SIGNUP)
