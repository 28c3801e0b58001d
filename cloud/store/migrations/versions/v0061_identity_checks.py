"""By which way a session reads for somebody, and the identity checks of that conversation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0071"

TEXTS = (
    "user_id", "user_name", "session", "channel", "numbers", "document", "last4", "outcome", "checked_utc",
    "ends_utc",
)  # fmt: skip


def upgrade() -> None:
    """One column, one table."""
    op.add_column("sessions", sa.Column("channel", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "identity_checks",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in TEXTS),
    )
    op.create_index("identity_checks_by_session", "identity_checks", ["session", "ends_utc"])
    op.create_index("identity_checks_by_user", "identity_checks", ["user_id", "checked_utc"])
