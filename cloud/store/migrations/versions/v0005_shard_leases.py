"""Which ingest worker serves which shard, and who is alive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Leases and workers."""
    op.create_table(
        "shard_leases",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("until_utc", sa.Text, nullable=False),
    )
    op.create_table(
        "ingest_workers",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("until_utc", sa.Text, nullable=False),
    )
