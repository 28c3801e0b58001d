"""SQLite finds the calls of a line in the index of their branch, without reading every other call of it."""

from __future__ import annotations

from alembic import op

revision = "0122"
down_revision = "0121"


def upgrade() -> None:
    """One index anew, on SQLite."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("calls_of_box", "calls")
        op.create_index("calls_of_box", "calls", ["box_id", "started_utc", "line"])
