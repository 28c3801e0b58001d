"""Files that wait for a review before whoever asked for them may open them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0111"

BEFORE = ("kind", "form", "name", "media_type", "sha256", "why", "asked", "purpose", "grants", "audit_id")


def upgrade() -> None:
    """One table."""
    op.create_table(
        "releases",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in BEFORE),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("by_id", "by_name", "made_utc", "state")),
        sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_utc", sa.Text),
        sa.Column("remark", sa.Text, nullable=False, server_default=""),
        sa.Column("opened_utc", sa.Text),
        sa.Column("gone_utc", sa.Text),
    )
    op.create_index("releases_by_state", "releases", ["state", "id"])
    op.create_index("releases_by_person", "releases", ["by_id", "id"])
