"""Since when a parcel waits for the warehouse or the carrier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index("orders_waiting", "orders", ["waits_since"], postgresql_where=sa.text("waits_since IS NOT NULL"))
