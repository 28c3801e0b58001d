"""SQLite's indexes of calls are short; nothing but the time puts them in order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0111"
down_revision = "0100"


def upgrade() -> None:
    """Four indexes anew, on SQLite."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name in ("calls_by_start", "calls_by_box", "calls_by_last8", "calls_by_name"):
        op.drop_index(name, "calls")
    op.create_index("calls_in_order", "calls", ["started_utc"])
    op.create_index("calls_of_box", "calls", ["box_id", "started_utc"])
    op.create_index("calls_by_ending", "calls", ["last8"])
    named = sa.text("caller_name IS NOT NULL")
    op.create_index("calls_of_name", "calls", ["caller_name"], sqlite_where=named)
