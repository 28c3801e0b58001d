"""Communications of the branches, and who serves a customer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0010"


def upgrade() -> None:
    """One table, one column."""
    texts = ("kind", "at_utc", "content", "created_utc", "subject", "feedback")
    creator = ("creator_name", "creator_number", "creator_group")
    op.create_table(
        "communications",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("customer_id", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("customer_name", "number", "number_key")),
        sa.Column("call_id", sa.Text),
        sa.Column("from_popup", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in (*creator, "received_utc")),
        sa.Column("cleared_utc", sa.Text),
    )
    op.create_index("communications_by_customer", "communications", ["customer_id", "at_utc"])
    op.create_index("communications_by_number", "communications", ["number_key", "at_utc"])
    op.create_index("communications_by_call", "communications", ["call_id"])
    op.add_column("customers", sa.Column("served_by", sa.Text))
    live = sa.text("deleted_utc IS NULL")
    op.create_index(
        "customers_by_server", "customers", ["served_by", "no"], sqlite_where=live, postgresql_where=live
    )
