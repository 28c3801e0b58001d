"""Calls that another telephone system reports, while they go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0042"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "reported_calls",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("direction", "caller", "called")),
        sa.Column("started_utc", sa.Text, nullable=False),
        sa.Column("answered_utc", sa.Text),
    )
    op.create_index("reported_calls_by_start", "reported_calls", ["started_utc"])
