"""Indexes for what every step and every sweep looks up, so that an order costs the same beside a million others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("effects_by_subject", "effects", ["subject_kind", "subject_id", "step"], unique=False)
    op.create_index("runs_open", "runs", ["subject_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL"))
