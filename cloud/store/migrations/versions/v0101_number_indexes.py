"""The indexes of numbers and lines hold what else of a call is looked at, on PostgreSQL."""

from __future__ import annotations

from alembic import op

revision = "0101"
down_revision = "0062"

_BESIDE_NUMBERS = ["party", "facet", "box_id", "duration_ms"]


def upgrade() -> None:
    """Three indexes anew, on PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, columns, more in (
        ("calls_by_last4", ["last4"], _BESIDE_NUMBERS),
        ("calls_by_last8", ["last8"], _BESIDE_NUMBERS),
        ("calls_by_line", ["box_id", "line"], ["facet", "duration_ms"]),
    ):
        op.drop_index(name, "calls")
        op.create_index(name, "calls", [*columns, "started_utc", "id"], postgresql_include=more)
