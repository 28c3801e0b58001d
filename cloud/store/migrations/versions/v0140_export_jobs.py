"""Exports that take long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0140"
down_revision = "0122"


def upgrade() -> None:
    """How far each is."""
    op.create_table(
        "export_jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("by_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("begun_utc", sa.Text, nullable=False),
        sa.Column("beat_utc", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("release_id", sa.Text),
    )
    op.create_index("export_jobs_by_person", "export_jobs", ["by_id", "id"])
