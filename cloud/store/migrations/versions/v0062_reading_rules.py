"""The rules of reading that an administrator set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0080"


def upgrade() -> None:
    """One table; the defaults are in code."""
    op.create_table(
        "reading_rules",
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("value", "changed_utc", "changed_by")),
    )
