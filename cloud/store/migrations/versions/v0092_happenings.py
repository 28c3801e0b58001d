"""What has happened, in order: for the event feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0092"
down_revision = "0091"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "happenings",
        sa.Column("no", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("xact", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_utc", sa.Text, nullable=False),
        sa.Column("object_ids", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("happenings_in_order", "happenings", ["xact", "no"])
    op.create_index("happenings_by_time", "happenings", ["at_utc"])
