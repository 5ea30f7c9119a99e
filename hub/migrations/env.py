"""How Alembic reaches the database: on the connection that ``hub.database.migrate`` holds."""

from __future__ import annotations

from alembic import context

from hub import approvals, inbox_tables, reconciliation_tables, release_tables, signup_tables, tally_tables  # noqa: F401 - their tables belong to the metadata
from hub.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
