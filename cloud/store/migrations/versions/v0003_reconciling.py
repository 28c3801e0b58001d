"""Manifests, presence, troubles, clocks and quotas of boxes; what became of what was set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Everything that says how far a box and head office agree."""
    _manifests()
    _boxes()
    _quotas()
    with op.batch_alter_table("quarantine") as table:
        table.add_column(sa.Column("state", sa.Text, nullable=False, server_default="waiting"))
        table.add_column(sa.Column("settled_utc", sa.Text))
        table.add_column(sa.Column("settled_by", sa.Text))
        table.add_column(sa.Column("reason", sa.Text))
    op.create_index("quarantine_waiting", "quarantine", ["state", "box_id"])
    with op.batch_alter_table("calls") as table:
        table.add_column(sa.Column("corrected_utc", sa.Text))
        table.add_column(sa.Column("clock_error_ms", sa.BigInteger))


def _manifests() -> None:
    op.create_table(
        "manifests",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("span", sa.Text, nullable=False),
        sa.Column("h", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("sig", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("items", sa.BigInteger, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
        sa.Column("closed_utc", sa.Text),
        sa.Column("witness_key", sa.Text),
        sa.Column("witness_sig", sa.Text),
        sa.Column("here", sa.Text),
        sa.Column("audited_utc", sa.Text),
    )
    op.create_index("manifests_by_span", "manifests", ["box_id", "span"])
    op.create_index("manifests_by_audit", "manifests", ["state", "audited_utc"])


def _boxes() -> None:
    op.create_table(
        "presence",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("online", sa.Boolean, nullable=False),
        sa.Column("since_utc", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("boots_before", sa.Text, nullable=False),
        sa.Column("held", sa.Text),
        sa.Column("born", sa.Text, nullable=False),
    )
    op.create_table(
        "box_troubles",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("since_utc", sa.Text, nullable=False),
        sa.Column("until_utc", sa.Text),
    )
    op.create_index("box_troubles_by_box", "box_troubles", ["box_id", "until_utc"])
    op.create_table(
        "box_clocks",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("after_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("upto_seq", sa.BigInteger),
        sa.Column("offset_ms", sa.BigInteger, nullable=False),
        sa.Column("error_ms", sa.BigInteger, nullable=False),
        sa.Column("quality", sa.Text, nullable=False),
        sa.Column("received_utc", sa.Text, nullable=False),
    )


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("bytes_a_day", sa.BigInteger, nullable=False),
        sa.Column("entries_a_day", sa.BigInteger, nullable=False),
        sa.Column("quarantine_rows", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "usage",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
    )
