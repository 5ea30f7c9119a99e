"""An index for the notices whose content is to be cleared, so that a sweep finds the old ones without reading all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    over = sa.text("content IS NOT NULL AND state IN ('handled', 'not_for_us')")
    op.create_index("notices_to_clear", "notices", ["handled_at"], unique=False, postgresql_where=over)
