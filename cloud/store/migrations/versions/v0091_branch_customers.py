"""Customers as branches keep them, waiting to be taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0091"
down_revision = "0101"

_WAITS = sa.text("revision > taken_revision")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "branch_customers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
        sa.Column("taken_revision", sa.BigInteger, nullable=False),
        sa.Column("taken_said", sa.Text, nullable=False),
        sa.Column("taken_utc", sa.Text),
        sa.Column("fault", sa.Text, nullable=False),
    )
    op.create_index(
        "branch_customers_waiting", "branch_customers", ["box_id", "received_utc"],
        sqlite_where=_WAITS, postgresql_where=_WAITS,
    )  # fmt: skip
