"""Applications to read, who is asked and what was done, and the grants they become."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0031"


def upgrade() -> None:
    """Nobody has applied for anything yet."""
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("applicant_id", "applicant_name", "role", "unit_id", "kind", "purpose", "reason", "verbs"),
        *_texts("clarity"),
        *_integers("grade", "rows", "hours"),
        *_texts("subjects"),
        *(sa.Column(name, sa.Text) for name in ("box_ids", "from_utc", "until_utc")),
        *_texts("documents", "state"),
        *_integers("levels"),
        sa.Column("emergency", sa.Boolean, nullable=False),
        *_texts("submitted_utc"),
    )
    op.create_index("access_requests_by_applicant", "access_requests", ["applicant_id", "submitted_utc"])
    op.create_index("access_requests_by_state", "access_requests", ["state", "submitted_utc"])
    op.create_table(
        "approval_tasks",
        *_key_of_request(),
        *_integers("level"),
        *_texts("user_id", "user_name"),
        *_integers("turn"),
        sa.Column("required", sa.Boolean, nullable=False),
        *_texts("state"),
    )
    op.create_index("approval_tasks_by_user", "approval_tasks", ["user_id", "state"])
    op.create_table(
        "access_steps",
        *_key_of_request(),
        *_texts("at_utc", "act", "user_name", "other_name", "remark", "state"),
    )
    _grants()


def _grants() -> None:
    request = sa.Column(
        "request_id", sa.Text, sa.ForeignKey("access_requests.id"), nullable=False, unique=True
    )
    op.create_table(
        "access_grants",
        sa.Column("id", sa.Text, primary_key=True),
        request,
        *_texts("user_id", "role", "purpose", "kind", "subjects"),
        *(sa.Column(name, sa.Text) for name in ("box_ids", "from_utc", "until_utc")),
        *_texts("verbs", "clarity"),
        *_integers("grade"),
        *_texts("valid_from_utc", "valid_until_utc"),
        *_integers("rows", "uses", "rows_used", "uses_used"),
        *(sa.Column(name, sa.Text) for name in ("last_used_utc", "revoked_utc")),
        sa.Column("emergency", sa.Boolean, nullable=False),
    )
    op.create_index("access_grants_by_user", "access_grants", ["user_id", "valid_until_utc"])
    op.create_table(
        "access_grant_rows",
        sa.Column("grant_id", sa.Text, sa.ForeignKey("access_grants.id"), primary_key=True),
        sa.Column("row_id", sa.Text, primary_key=True),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _key_of_request() -> tuple[sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("request_id", sa.Text, sa.ForeignKey("access_requests.id"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    )
