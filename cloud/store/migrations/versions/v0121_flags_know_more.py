"""Flags know the facet and length of their call: none is read to see that it does not fit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0121"
down_revision = "0130"

_FOLLOW = "UPDATE call_flags SET facet = NEW.facet, duration_ms = NEW.duration_ms WHERE call_id = NEW.id"
_WHEN = "OLD.facet <> NEW.facet OR OLD.duration_ms <> NEW.duration_ms"
_TRIGGER = "CREATE TRIGGER calls_flagged AFTER UPDATE OF facet, duration_ms ON calls"


def upgrade() -> None:
    """Two columns, and the trigger that keeps them."""
    op.add_column("call_flags", sa.Column("facet", sa.Integer, nullable=False, server_default="0"))
    op.add_column("call_flags", sa.Column("duration_ms", sa.BigInteger, nullable=False, server_default="0"))
    there = "FROM calls WHERE calls.id = call_flags.call_id"
    op.execute(f"UPDATE call_flags SET facet = calls.facet, duration_ms = calls.duration_ms {there}")
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"{_TRIGGER} FOR EACH ROW WHEN {_WHEN} BEGIN {_FOLLOW}; END")
        return
    op.execute(f"""
        CREATE FUNCTION calls_flagged() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN {_FOLLOW}; RETURN NULL; END $$
    """)
    op.execute(f"{_TRIGGER} FOR EACH ROW WHEN ({_WHEN}) EXECUTE FUNCTION calls_flagged()")
