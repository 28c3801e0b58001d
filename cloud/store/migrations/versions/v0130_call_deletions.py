"""Calls that were deleted by order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0130"
down_revision = "0120"


def upgrade() -> None:
    """Their tombstones."""
    op.create_table(
        "call_deletions",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("at_utc", sa.Text, nullable=False),
        sa.Column("swept_utc", sa.Text),
    )
    waiting = sa.text("swept_utc IS NULL")
    op.create_index(
        "call_deletions_waiting",
        "call_deletions",
        ["call_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
