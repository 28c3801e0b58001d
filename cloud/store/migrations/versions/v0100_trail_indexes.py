"""The audit trail's indexes hold whatever else is asked for beside them; SQLite keeps the ones it has."""

from __future__ import annotations

from alembic import op

revision = "0100"
down_revision = "0060"

_BY_WHAT = ("action", "kind", "purpose")
_MORE = {"actor": ("actor_name", ["box_id", *_BY_WHAT, "result"]),
         "box": ("box_id", ["actor_name", *_BY_WHAT, "result"])}  # fmt: skip


def upgrade() -> None:
    """Two indexes wider, three become one, on PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, (column, more) in _MORE.items():
        op.drop_index(f"access_log_by_{name}", "access_log")
        op.create_index(f"access_log_by_{name}", "access_log", [column, "id"], postgresql_include=more)
    for name in _BY_WHAT:
        op.drop_index(f"access_log_by_{name}", "access_log")
    op.create_index("access_log_by_what", "access_log", [*_BY_WHAT, "id"], postgresql_include=["result"])
