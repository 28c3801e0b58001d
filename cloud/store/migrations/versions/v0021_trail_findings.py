"""What the patterns of abnormal use found in the audit trail, for a person to review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0040"

_KEY = ("pattern", "actor_name", "day")


def upgrade() -> None:
    """One table."""
    texts = ("pattern", "actor_name", "day", "first_utc", "last_utc", "row_ids", "found_utc")
    op.create_table(
        "trail_findings",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("count", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("reviewed_utc", "reviewed_by", "remark")),
        sa.UniqueConstraint(
            "pattern", "actor_name", "day", name="trail_findings_unique_pattern_actor_name_day"
        ),
    )
    op.create_index("trail_findings_open", "trail_findings", ["reviewed_utc", "last_utc"])
