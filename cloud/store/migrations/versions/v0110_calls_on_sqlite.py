"""SQLite keeps no index of calls that only PostgreSQL's searches ask."""

from __future__ import annotations

from alembic import op

revision = "0110"
down_revision = "0070"


def upgrade() -> None:
    """Four indexes less, on SQLite."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("calls_by_line", "calls_by_facet", "calls_by_box_facet", "calls_by_last4"):
            op.drop_index(name, "calls")
