"""For many rows: keys that grow with time, and on PostgreSQL calls, recordings and inbox in monthly parts.

Ids are UUIDv7, which begin with the time: with the id first in the key a new row goes to the end of the
index, and a month is a range of ids. `cloud.store.partitions` makes the months; `<table>_rest` takes what
belongs to none of them.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The same rows in tables laid out for many more of them."""
    if op.get_bind().dialect.name == "postgresql":
        _partitioned("calls", "id", "id", _index_calls)
        _partitioned("recordings", "id", "id", _index_recordings)
        _partitioned("inbox", "eid", "eid, box_id", _index_inbox)
        _drop_indexes("transfers")
        op.create_primary_key("transfers_key", "transfers", ["recording_id", "box_id"])
    else:
        _rebuilt("inbox", "eid", "box_id")
        _index_inbox()
        _rebuilt("transfers", "recording_id", "box_id")


def _partitioned(table: str, by: str, key: str, index: Callable[[], None]) -> None:
    _drop_indexes(table)
    op.rename_table(table, f"{table}_before")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before) PARTITION BY RANGE ({by})")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_key PRIMARY KEY ({key})")
    index()
    op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
    op.drop_table(f"{table}_before")


def _drop_indexes(table: str) -> None:
    found = sa.inspect(op.get_bind())
    op.drop_constraint(str(found.get_pk_constraint(table)["name"]), table)
    for index in found.get_indexes(table):
        op.drop_index(str(index["name"]))


def _rebuilt(table: str, *key: str) -> None:
    """The same table with another primary key; SQLite cannot change one in place."""
    before = sa.Table(table, sa.MetaData(), autoload_with=op.get_bind())
    for index in before.indexes:
        op.drop_index(str(index.name))
    op.rename_table(table, f"{table}_before")
    columns = [before.c[name] for name in key] + [one for one in before.columns if one.name not in key]
    op.create_table(
        table,
        *(
            sa.Column(one.name, one.type, primary_key=one.name in key, nullable=one.nullable)
            for one in columns
        ),
    )
    names = ", ".join(one.name for one in columns)
    op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {table}_before")
    op.drop_table(f"{table}_before")


def _index_calls() -> None:
    op.create_index("calls_by_start", "calls", ["started_utc", "id"])
    op.create_index("calls_by_box", "calls", ["box_id", "started_utc", "id"])
    op.create_index("calls_by_number", "calls", ["caller_number", "started_utc"])


def _index_recordings() -> None:
    op.create_index("recordings_by_call", "recordings", ["call_id"])
    waiting = sa.text("state = 'announced'")
    op.create_index("recordings_waiting", "recordings", ["box_id"], postgresql_where=waiting)


def _index_inbox() -> None:
    op.create_index("inbox_by_seq", "inbox", ["box_id", "epoch", "stream", "seq"])
