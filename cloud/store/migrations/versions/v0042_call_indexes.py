"""The indexes of facets hold what else of a call is looked at; SQLite has no such indexes."""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Two indexes anew, on PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, columns, more in (
        ("calls_by_facet", ["facet"], ["box_id", "duration_ms"]),
        ("calls_by_box_facet", ["box_id", "facet"], ["line", "duration_ms"]),
    ):
        op.drop_index(name, "calls")
        op.create_index(name, "calls", [*columns, "started_utc", "id"], postgresql_include=more)
