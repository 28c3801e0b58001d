"""What has arrived from each box (`sync.inbox`)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Streams, inbox, quarantine, transfers."""
    op.create_table(
        "inbox_streams",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("broken_seq", sa.BigInteger),
        sa.Column("broken_utc", sa.Text),
        sa.Column("updated_utc", sa.Text, nullable=False),
    )
    op.create_table(
        "inbox",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("eid", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_utc", sa.Text, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
        sa.Column("h", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("inbox_by_seq", "inbox", ["box_id", "epoch", "stream", "seq"])
    _set_aside_and_transfers()


def _set_aside_and_transfers() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("eid", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
    )
    op.create_index("quarantine_by_box", "quarantine", ["box_id", "received_utc"])
    op.create_table(
        "transfers",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("recording_id", sa.Text, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("opened_utc", sa.Text, nullable=False),
        sa.Column("done_utc", sa.Text),
    )
