"""Where Alembic meets our tables. `cloud.store.database.migrate` hands it an open transaction."""

from __future__ import annotations

from alembic import context

from cloud.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
context.run_migrations()
