"""Who works on a request that may be sent twice, until when; which key a webhook's secret is sealed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0051"

KEY_IDS = {  # the key's id stands in front of what it has sealed
    "sqlite": "UPDATE webhooks SET key_id = lower(hex(substr(secret, 1, 4)))",
    "postgresql": "UPDATE webhooks SET key_id = encode(substring(secret FROM 1 FOR 4), 'hex')",
}


def upgrade() -> None:
    """Add the columns; what was at work when this ran is nobody's any more."""
    for name in ("worker", "until_utc"):
        op.add_column("answered_requests", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("answered_requests", sa.Column("done_id", sa.Text))
    op.add_column("webhooks", sa.Column("key_id", sa.Text, nullable=False, server_default=""))
    op.execute(KEY_IDS[op.get_bind().dialect.name])
