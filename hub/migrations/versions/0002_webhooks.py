"""Webhooks: the inbox, what it wakes, and what callbacks say about orders and messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# An early notice is claimed when its subject gets there: in the commit that brings the subject, whoever writes it.
WAKE = """
CREATE FUNCTION wake_early_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notices SET next_at = clock_timestamp() WHERE state = 'early' AND waits_for = ANY (
        CASE TG_TABLE_NAME
            WHEN 'effects' THEN ARRAY[to_jsonb(NEW)->>'provider' || ':' || (to_jsonb(NEW)->>'reference')]
            ELSE ARRAY['order:' || (to_jsonb(NEW)->>'id'), 'shippo:tracking:' || (to_jsonb(NEW)->>'tracking_number')]
        END
    );
    RETURN NULL;
END
$$
"""
WAKE_BY_ORDER = "CREATE TRIGGER orders_wake_early_notices AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wake_early_notices()"
WAKE_BY_PARCEL = """
CREATE TRIGGER parcels_wake_early_notices AFTER UPDATE OF tracking_number ON orders FOR EACH ROW
WHEN (NEW.tracking_number IS DISTINCT FROM OLD.tracking_number) EXECUTE FUNCTION wake_early_notices()
"""
WAKE_BY_EFFECT = """
CREATE TRIGGER effects_wake_early_notices AFTER UPDATE OF reference ON effects FOR EACH ROW
WHEN (NEW.reference IS NOT NULL AND NEW.reference IS DISTINCT FROM OLD.reference) EXECUTE FUNCTION wake_early_notices()
"""


def upgrade() -> None:
    op.add_column("orders", sa.Column("dispute", sa.Text(), server_default="none", nullable=False))
    op.add_column("orders", sa.Column("refunded_in_all", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("effects", sa.Column("delivery", sa.Text(), nullable=True))
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "event_id", name="notices_once"),
    )
    op.create_index("notices_due", "notices", ["next_at", "id"], unique=False, postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_index("notices_early", "notices", ["waits_for"], unique=False, postgresql_where=sa.text("state = 'early'"))
    subjects = sa.text("subject_id IS NOT NULL")
    op.create_index("notices_by_subject", "notices", ["subject_kind", "subject_id"], unique=False, postgresql_where=subjects)
    op.create_table(
        "refused_deliveries",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )
    for statement in (WAKE, WAKE_BY_ORDER, WAKE_BY_PARCEL, WAKE_BY_EFFECT):
        op.execute(statement)
    op.create_index(
        "effects_by_reference", "effects", ["provider", "reference"], unique=False, postgresql_where=sa.text("reference IS NOT NULL")
    )
    tracked = sa.text("tracking_number IS NOT NULL")
    op.create_index("orders_by_tracking_number", "orders", ["tracking_number"], unique=False, postgresql_where=tracked)
