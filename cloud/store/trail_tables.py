"""The tables of the audit trail: its rows, the heads and anchors of its chains, what retention left of them.

Rows are only ever added: triggers (migration v0020) refuse to change one, or to delete one no stub covers.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REFUSED = text("result = 'refused'")
_WHAT = ("action", "kind", "purpose")


@dataclass(frozen=True, slots=True)
class TrailTables:
    """The tables `cloud.store.trail` works with."""

    log: Table
    heads: Table
    anchors: Table
    stubs: Table
    findings: Table


def add_tables(metadata: MetaData) -> TrailTables:
    """Define the tables of the audit trail in `metadata`."""
    return TrailTables(
        _log(metadata), _heads(metadata), _anchors(metadata), _stubs(metadata), _findings(metadata)
    )


def _log(metadata: MetaData) -> Table:
    # Each index ends in the id, which begins with the time: the newest fifty of a filter are a short walk.
    return Table(  # who read or did what, or was refused it
        "access_log",
        metadata,
        Column("id", Text, primary_key=True),  # UUIDv7 of at_utc
        Column("chain", Integer, nullable=False),
        Column("seq", BigInteger, nullable=False),  # 1, 2, ... without a hole in its chain
        Column("at_utc", Text, nullable=False),
        Column("actor_id", Text, nullable=False),  # "": nobody who is known
        Column("actor_name", Text, nullable=False),  # as it was then
        Column("role", Text, nullable=False),
        Column("unit_id", Text, nullable=False),  # the actor's place in the organisation
        Column("session", Text, nullable=False),  # first characters of its hash
        Column("address", Text, nullable=False),
        Column("user_agent", Text, nullable=False),
        Column("channel", Text, nullable=False),
        Column("action", Text, nullable=False),  # cloud.access.log.Action
        Column("kind", Text, nullable=False),  # of the object: calls, recordings, customers ...
        Column("object_id", Text, nullable=False),  # "": a list
        Column("box_id", Text, nullable=False),  # the branch concerned; "": several
        Column("fields", Text, nullable=False),  # JSON list: what was shown clear or changed
        Column("query", Text, nullable=False),  # JSON object: what was asked
        Column("changes", Text, nullable=False),  # JSON object: field -> [old, new]
        Column("purpose", Text, nullable=False),
        Column("grants", Text, nullable=False),  # JSON list of the grants that were used
        Column("row_count", Integer, nullable=False),
        Column("ids", LargeBinary, nullable=False),  # of the rows returned: lines, zlib
        Column("result", Text, nullable=False),  # done | refused
        Column("reason", Text, nullable=False),  # code of the refusal
        Column("trace_id", Text, nullable=False),  # of the request, as on its error page
        Column("prev", LargeBinary, nullable=False),  # hash of the row before it in its chain
        Column("hash", LargeBinary, nullable=False),
        Index("access_log_by_chain", "chain", "seq", unique=True),
        Index("access_log_by_object", "object_id", "id"),
        # With what else of a row is asked for, so that the row itself need not be read.
        Index("access_log_by_actor", "actor_name", "id", postgresql_include=["box_id", *_WHAT, "result"]),
        Index("access_log_by_box", "box_id", "id", postgresql_include=["actor_name", *_WHAT, "result"]),
        # See cloud.store.trail_search; SQLite asks for one of the three at a time.
        Index("access_log_by_what", *_WHAT, "id", postgresql_include=["result"]).ddl_if(dialect="postgresql"),
        *(Index(f"access_log_by_{name}", name, "id").ddl_if(dialect="sqlite") for name in _WHAT),
        Index("access_log_refused", "id", sqlite_where=REFUSED, postgresql_where=REFUSED),
    )


def _heads(metadata: MetaData) -> Table:
    return Table(  # the last row of each chain; locked while one is added
        "trail_heads",
        metadata,
        Column("chain", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, nullable=False),
        Column("hash", LargeBinary, nullable=False),
    )


def _anchors(metadata: MetaData) -> Table:
    return Table(  # heads of all chains, signed, hour by hour; also a line each in a file of their own
        "trail_anchors",
        metadata,
        Column("n", BigInteger, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),  # canonical JSON, as signed
        Column("key", Text, nullable=False),
        Column("sig", Text, nullable=False),
    )


def _stubs(metadata: MetaData) -> Table:
    return Table(  # what stands for rows that were kept long enough
        "trail_stubs",
        metadata,
        Column("chain", Integer, primary_key=True, autoincrement=False),
        Column("last_seq", BigInteger, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("sig", Text, nullable=False),
    )


def _findings(metadata: MetaData) -> Table:
    return Table(  # cloud.access.patterns: one per pattern, person and day
        "trail_findings",
        metadata,
        Column("id", Text, primary_key=True),
        Column("pattern", Text, nullable=False),
        Column("actor_name", Text, nullable=False),
        Column("day", Text, nullable=False),  # on which it began, in head office's time zone
        Column("first_utc", Text, nullable=False),
        Column("last_utc", Text, nullable=False),
        Column("count", BigInteger, nullable=False),
        Column("row_ids", Text, nullable=False),  # JSON list, at most MOST_ROWS of them
        Column("found_utc", Text, nullable=False),
        Column("reviewed_utc", Text),  # None: nobody has looked yet
        Column("reviewed_by", Text),
        Column("remark", Text),
        UniqueConstraint("pattern", "actor_name", "day"),
        Index("trail_findings_open", "reviewed_utc", "last_utc"),
    )
