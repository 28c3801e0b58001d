"""Filters of lists that people keep under a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0061"


def upgrade() -> None:
    """One table."""
    names = ("user_id", "page", "name", "query", "created_utc")
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in names),
    )
    op.create_index("saved_filters_by_user", "saved_filters", ["user_id", "page", "name"], unique=True)
