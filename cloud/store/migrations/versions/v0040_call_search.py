"""Calls are found by any filter: the other side's digits, the facet, what people put on them.

The columns are filled for the calls that are there already, some thousands at a time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloud.calls.facets import AUDIO, GAP, facet_of
from cloud.calls.numbers import LAST4, LAST8, party_of

revision = "0040"
down_revision = "0050"
AT_ONCE = 5000

_READ = sa.text(
    "SELECT id, direction, outcome, duration_ms, caller_number, dialled,"
    " EXISTS (SELECT 1 FROM recordings r WHERE r.call_id = calls.id AND r.state = 'stored') AS audio,"
    " EXISTS (SELECT 1 FROM recordings r JOIN gaps g ON g.recording_id = r.id WHERE r.call_id = calls.id)"
    " AS gap"
    " FROM calls WHERE id > :after ORDER BY id LIMIT :limit"
)
_WRITE = sa.text(
    "UPDATE calls SET party = :party, last4 = :last4, last8 = :last8, facet = :facet WHERE id = :id"
)


def upgrade() -> None:
    """Columns, what they hold, then the indexes over them."""
    for name in ("party", "last4", "last8"):
        op.add_column("calls", sa.Column(name, sa.Text))
    op.add_column("calls", sa.Column("facet", sa.Integer, nullable=False, server_default="0"))
    _fill()
    op.drop_index("calls_by_number", "calls")
    for name, columns in {
        "line": ["box_id", "line"],
        "facet": ["facet"],
        "box_facet": ["box_id", "facet"],
        "last4": ["last4"],
        "last8": ["last8"],
    }.items():
        op.create_index(f"calls_by_{name}", "calls", [*columns, "started_utc", "id"])
    named = sa.text("caller_name IS NOT NULL")
    op.create_index(
        "calls_by_name", "calls", ["caller_name", "started_utc", "id"],
        sqlite_where=named, postgresql_where=named,
    )  # fmt: skip
    _tables()


def _fill() -> None:
    db, after = op.get_bind(), ""
    while rows := db.execute(_READ, {"after": after, "limit": AT_ONCE}).mappings().all():
        db.execute(_WRITE, [_found_by(row) for row in rows])
        after = rows[-1]["id"]


def _found_by(row: sa.RowMapping) -> dict[str, object]:
    party = party_of(row["direction"], row["caller_number"], row["dialled"])
    facet = facet_of(row["direction"], row["outcome"], row["duration_ms"])
    return {
        "id": row["id"],
        "party": party,
        "last4": party[-LAST4:] if party else None,
        "last8": party[-LAST8:] if party else None,
        "facet": facet | (AUDIO if row["audio"] else 0) | (GAP if row["gap"] else 0),
    }


def _tables() -> None:
    op.create_table(
        "call_facets",
        sa.Column("box_id", sa.Text, primary_key=True),
        sa.Column("facet", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_index("call_facets_by_facet", "call_facets", ["facet"])
    op.execute("INSERT INTO call_facets (box_id, facet) SELECT DISTINCT box_id, facet FROM calls")
    op.create_table(
        "call_flags",
        sa.Column("flag", sa.Text, primary_key=True),
        sa.Column("started_utc", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("box_id", sa.Text, nullable=False),
    )
    op.create_index("call_flags_by_call", "call_flags", ["call_id"])
    op.create_table(
        "signing_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )
