"""What a gate has to know to be a circuit breaker, a pause and a rate limit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NONE, NO = sa.text("0"), sa.text("false")


def upgrade() -> None:
    op.alter_column("provider_gates", "misconfigured_in_a_row", server_default=NONE)
    for column in (
        sa.Column("paused", sa.Text(), nullable=True),
        sa.Column("breaks", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("probes", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("probing", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("closings", sa.Integer(), server_default=NONE, nullable=False),
        sa.Column("window_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls", sa.Integer(), server_default=NONE, nullable=False),
        sa.Column("failures", sa.Integer(), server_default=NONE, nullable=False),
        sa.Column("rate_per_second", sa.Float(), nullable=True),
        sa.Column("burst", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wakes", sa.Boolean(), server_default=NO, nullable=False),
    ):
        op.add_column("provider_gates", column)
