"""Whether the hub was restored from a back-up, of what moment, and whether it may ask providers again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("restored_from", "recovery_began_at", "recovery_ended_at"):
        op.add_column("hub_identity", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
