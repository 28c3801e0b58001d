"""Boxes, calls, recordings, gaps; users, their sessions and what they did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Everything the first call needs."""
    _boxes_and_calls()
    _recordings_and_gaps()
    _people()


def _boxes_and_calls() -> None:
    op.create_table(
        "boxes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("first_seen_utc", sa.Text),
        sa.Column("last_seen_utc", sa.Text),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("line_name", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("started_utc", sa.Text, nullable=False),
        sa.Column("answered_utc", sa.Text),
        sa.Column("ended_utc", sa.Text, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("ring_count", sa.Integer, nullable=False),
        sa.Column("caller_number", sa.Text),
        sa.Column("caller_name", sa.Text),
        sa.Column("caller_presentation", sa.Text),
        sa.Column("caller_standard", sa.Text),
        sa.Column("dialled", sa.Text),
        sa.Column("keys", sa.Text),
        sa.Column("end_reason", sa.Text, nullable=False),
        sa.Column("hook_known", sa.Boolean, nullable=False),
        sa.Column("clock_quality", sa.Text, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
    )
    op.create_index("calls_by_start", "calls", ["started_utc", "id"])
    op.create_index("calls_by_box", "calls", ["box_id", "started_utc", "id"])
    op.create_index("calls_by_number", "calls", ["caller_number", "started_utc"])


def _recordings_and_gaps() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_utc", sa.Text),
        sa.Column("rate_hz", sa.Integer),
        sa.Column("samples", sa.BigInteger),
        sa.Column("codec", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("sha256", sa.Text),
        sa.Column("object_key", sa.Text),
        sa.Column("stored_utc", sa.Text),
        sa.Column("lost_reason", sa.Text),
    )
    op.create_index("recordings_by_call", "recordings", ["call_id"])
    waiting = sa.text("state = 'announced'")
    op.create_index(
        "recordings_waiting", "recordings", ["box_id"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "gaps",
        sa.Column("recording_id", sa.Text, primary_key=True),
        sa.Column("start_sample", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("length_samples", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("disabled_utc", sa.Text),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("csrf_token", sa.Text, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("last_used_utc", sa.Text, nullable=False),
    )
    op.create_table(
        "access_log",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at_utc", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
    )
    op.create_index("access_log_by_time", "access_log", ["at_utc", "id"])
    op.create_index("access_log_by_subject", "access_log", ["subject", "at_utc"])
