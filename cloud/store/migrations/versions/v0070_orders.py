"""Orders to branches, their receipts, holds, deleted audio, and how long head office keeps audio itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0090"


def upgrade() -> None:
    """Six tables."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text),
        *(_text(name) for name in ("days", "reason", "by_id", "by_name", "ordered_utc")),
        sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_utc", sa.Text),
        sa.Column("remark", sa.Text, nullable=False, server_default=""),
        _text("state"),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("owed", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("sent_utc", "taken_utc", "answered_utc")),
        sa.Column("signed", sa.Text, nullable=False, server_default=""),
    )
    _index("orders_owed", "orders", ["box_id", "id"], "owed")
    op.create_index("orders_by_number", "orders", ["box_id", "n"])
    op.create_index("orders_by_state", "orders", ["state", "id"])
    op.create_index("orders_by_call", "orders", ["call_id"])
    op.create_table(
        "order_receipts",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *(_text(name) for name in ("order_id", "outcome", "code", "answered_utc", "received_utc", "signed")),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("order_receipts_by_order", "order_receipts", ["order_id"])
    op.create_table(
        "order_heads",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("upto", sa.BigInteger, nullable=False),
        _text("said_utc"),
    )
    op.create_table(
        "call_holds",
        sa.Column("order_id", sa.Text, primary_key=True),
        *(_text(name) for name in ("call_id", "box_id", "reason", "by_name", "since_utc")),
        sa.Column("until_utc", sa.Text),
    )
    op.create_index("call_holds_by_call", "call_holds", ["call_id", "until_utc"])
    op.create_table(
        "audio_deletions",
        sa.Column("recording_id", sa.Text, primary_key=True),
        *(_text(name) for name in ("call_id", "box_id", "sha256")),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        _text("why"),
        sa.Column("order_id", sa.Text),
        _text("at_utc"),
        sa.Column("gone_utc", sa.Text),
    )
    _index("audio_deletions_waiting", "audio_deletions", ["recording_id"], "gone_utc IS NULL")
    op.create_table(
        "kept_days",
        sa.Column("calls", sa.Text, primary_key=True),
        sa.Column("days", sa.Integer, nullable=False),
        _text("set_by"),
        _text("set_utc"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    some = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=some, postgresql_where=some)
