"""The organisation: units, which one a person and a box belong to, and what for somebody reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0020"


def upgrade() -> None:
    """Everybody and everything there is belongs to the root until somebody says otherwise."""
    op.create_table(
        "org_units",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
    )
    with op.batch_alter_table("boxes") as table:
        table.add_column(sa.Column("unit_id", sa.Text, nullable=False, server_default="national"))
    with op.batch_alter_table("users") as table:
        table.add_column(sa.Column("unit_id", sa.Text, nullable=False, server_default="national"))
        table.add_column(sa.Column("numbers", sa.Text, nullable=False, server_default=""))
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("purpose", sa.Text, nullable=False, server_default=""))
