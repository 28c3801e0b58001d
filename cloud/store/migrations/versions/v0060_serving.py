"""Numbers that whoever serves the customer wrote into the record: they count once somebody else looked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0110"


def upgrade() -> None:
    """One column."""
    op.add_column(
        "customer_numbers", sa.Column("vouched", sa.Boolean, nullable=False, server_default=sa.true())
    )
