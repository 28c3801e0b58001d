"""Notes on calls in versions, and reports that a record is wrong, step by step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0021"


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "call_notes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *(
            sa.Column(one, sa.Text, nullable=False)
            for one in ("call_id", "text", "by_id", "by_name", "at_utc")
        ),
    )
    op.create_index("call_notes_by_call", "call_notes", ["call_id", "id", "version"])
    texts = ("call_id", "box_id", "state", "text", "by_id", "by_name", "at_utc")
    op.create_table(
        "call_reports",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(one, sa.Text, nullable=False) for one in texts),
        sa.Column("assigned_to", sa.Text),
        sa.Column("changed_utc", sa.Text, nullable=False),
    )
    op.create_index("call_reports_by_state", "call_reports", ["state", "changed_utc", "id"])
    op.create_index("call_reports_by_call", "call_reports", ["call_id"])
    op.create_table(
        "call_report_steps",
        sa.Column("report_id", sa.Text, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(one, sa.Text, nullable=False) for one in ("step", "text", "by_name", "at_utc")),
    )
