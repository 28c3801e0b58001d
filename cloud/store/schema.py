"""Head office's tables, as SQLAlchemy Core: the same statements run on SQLite and on PostgreSQL.

They stand apart from the code that fills them (ingest) and reads them (web), which never import each other.
Times are UTC text with milliseconds (`sync.moment`). Facts from a box arrive in any order, so no row of
calls, recordings or gaps waits for another by a foreign key. What changes here also needs a migration;
a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from cloud.store import access_tables as access_tables
from cloud.store import call_tables as call_tables
from cloud.store import customer_tables as customer_tables
from cloud.store import order_tables as order_tables
from cloud.store import release_tables as release_tables
from cloud.store import saved_filters as saved_filters
from cloud.store.metadata import metadata as metadata
from cloud.store.token_tables import add_tables as add_api_tables
from cloud.store.trail_tables import add_tables as add_trail_tables
from cloud.store.webhook_tables import add_tables as add_webhook_tables
from sync.inbox_tables import add_tables


def _where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _driver(name: str, *columns: str, **options: Any) -> Index:
    """An index of PostgreSQL, where a search asks one by its columns (cloud.store.call_search)."""
    return Index(name, *columns, **options).ddl_if(dialect="postgresql")


def _plain(name: str, *columns: str, **options: Any) -> Index:
    """An index of SQLite, where one statement walks the calls in order.

    There are few of them, and they are short: they are half of what it costs to take a call in. Calls that
    began in the same millisecond are put in order when they are read.
    """
    return Index(name, *columns, **options).ddl_if(dialect="sqlite")


_BESIDE_NUMBERS = ["party", "facet", "box_id", "duration_ms"]

boxes = Table(
    "boxes",
    metadata,
    Column("id", Text, primary_key=True),  # the common name of the box's certificate
    Column("name", Text, nullable=False),  # the branch, as people say it
    Column("first_seen_utc", Text),  # None: registered, never heard of
    Column("last_seen_utc", Text),
    Column("unit_id", Text, nullable=False, server_default="national"),
)

calls = Table(  # sync.events.CallEnded
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("line_name", Text, nullable=False),
    Column("direction", Text, nullable=False),  # in | out | unknown
    Column("outcome", Text, nullable=False),  # answered | missed | unknown
    Column("started_utc", Text, nullable=False),
    Column("answered_utc", Text),
    Column("ended_utc", Text, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("ring_count", Integer, nullable=False),
    Column("caller_number", Text),
    Column("caller_name", Text),
    Column("caller_presentation", Text),  # available | withheld | unavailable | failed
    Column("caller_standard", Text),
    Column("dialled", Text),
    Column("keys", Text),
    Column("end_reason", Text, nullable=False),
    Column("hook_known", Boolean, nullable=False),
    Column("clock_quality", Text, nullable=False),
    Column("corrected_utc", Text),  # started_utc by head office's clock, where the box's was off; else None
    Column("clock_error_ms", BigInteger),  # how far corrected_utc may be off
    Column("received_utc", Text, nullable=False),  # head office's clock
    Column("party", Text),  # cloud.calls.numbers: the other side's digits as sent; None: none were
    Column("last4", Text),
    Column("last8", Text),
    Column("facet", Integer, nullable=False, server_default="0"),  # cloud.calls.facets
    _driver("calls_by_start", "started_utc", "id"),
    _driver("calls_by_box", "box_id", "started_utc", "id"),
    _driver(
        "calls_by_line",
        *("box_id", "line", "started_utc", "id"),
        postgresql_include=["facet", "duration_ms"],
    ),
    # With what else of a row is looked at, so that the table itself need not be.
    _driver("calls_by_facet", "facet", "started_utc", "id", postgresql_include=["box_id", "duration_ms"]),
    _driver(
        "calls_by_box_facet",
        *("box_id", "facet", "started_utc", "id"),
        postgresql_include=["line", "duration_ms"],
    ),
    _driver("calls_by_last4", "last4", "started_utc", "id", postgresql_include=_BESIDE_NUMBERS),
    _driver("calls_by_last8", "last8", "started_utc", "id", postgresql_include=_BESIDE_NUMBERS),
    _driver("calls_by_name", "caller_name", "started_utc", "id", **_where("caller_name IS NOT NULL")),
    _plain("calls_in_order", "started_utc"),
    _plain("calls_of_box", "box_id", "started_utc", "line"),  # a line is looked for without its calls
    _plain("calls_by_ending", "last8"),
    _plain("calls_of_name", "caller_name", **_where("caller_name IS NOT NULL")),
)

recordings = Table(  # sync.events.RecordingReady and RecordingLost
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("box_id", Text, nullable=False),
    Column("state", Text, nullable=False),  # announced | stored | lost | deleted
    Column("started_utc", Text),  # this and the next five: None when lost
    Column("rate_hz", Integer),
    Column("samples", BigInteger),
    Column("codec", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),  # of the file, lower-case hex
    Column("object_key", Text),  # in the object store, once stored
    Column("stored_utc", Text),
    Column("lost_reason", Text),  # why, when lost
    Index("recordings_by_call", "call_id"),
    Index("recordings_waiting", "box_id", **_where("state = 'announced'")),
)

gaps = Table(  # sync.events.GapFact
    "gaps",
    metadata,
    Column("recording_id", Text, primary_key=True),
    Column("start_sample", BigInteger, primary_key=True, autoincrement=False),
    Column("length_samples", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),  # a key of cloud.access.roles.ROLES
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("created_utc", Text, nullable=False),
    Column("disabled_utc", Text),  # None: may log in
    Column("unit_id", Text, nullable=False, server_default="national"),
    Column("numbers", Text, nullable=False, server_default=""),  # a subscriber's own, E.164, spaces between
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),  # the cookie's token itself is kept nowhere
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("csrf_token", Text, nullable=False),
    Column("created_utc", Text, nullable=False),
    Column("last_used_utc", Text, nullable=False),
    Column("purpose", Text, nullable=False, server_default=""),  # of what is read; "": the role's daily work
    Column("channel", Text, nullable=False, server_default=""),  # hotline or counter; "": the pages
)

trail = add_trail_tables(metadata)  # who read or did what; only ever added to
access_log = trail.log

manifests = Table(  # sync.manifest: what a box says it wrote in an hour, and whether all of it is here
    "manifests",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("span", Text, nullable=False),  # 2026-11-22T04: an hour; 2026-11-22: a day
    Column("h", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON, as signed
    Column("sig", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | waiting (for audio) | closed
    Column("items", BigInteger, nullable=False),  # entries that are missing or differ, as far as is known
    Column("received_utc", Text, nullable=False),
    Column("closed_utc", Text),
    Column("witness_key", Text),  # head office's, and its signature over the closed head
    Column("witness_sig", Text),
    Column("here", Text),  # SHA-256 over our own rows when it was closed
    Column("audited_utc", Text),
    Index("manifests_by_span", "box_id", "span"),
    Index("manifests_by_audit", "state", "audited_utc"),
)

presence = Table(  # sync.presence: which connection of a box is the present one
    "presence",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("since_utc", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("boots_before", Text, nullable=False),  # JSON: boots that another one has followed
    Column("held", Text),  # why nothing is taken from this box; None: it is
    Column("born", Text, nullable=False),  # the birth as it came, JSON
)

box_troubles = Table(  # what a person should look at, as states with a start and an end
    "box_troubles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # a key of cloud.store.troubles.KINDS
    Column("detail", Text, nullable=False),
    Column("since_utc", Text, nullable=False),
    Column("until_utc", Text),  # None while it lasts
    Index("box_troubles_by_box", "box_id", "until_utc"),
)

box_clocks = Table(  # sync.events.ClockMeasured: how far a box's clock was off, from an entry on
    "box_clocks",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("after_seq", BigInteger, primary_key=True, autoincrement=False),  # of stream `evt`
    Column("upto_seq", BigInteger),  # None: still so
    Column("offset_ms", BigInteger, nullable=False),  # to be added to the box's stamps
    Column("error_ms", BigInteger, nullable=False),
    Column("quality", Text, nullable=False),  # measured | stepped
    Column("received_utc", Text, nullable=False),
)

quotas = Table(  # what a box may send; a box of "*" is all that have no row
    "quotas",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("bytes_a_day", BigInteger, nullable=False),
    Column("entries_a_day", BigInteger, nullable=False),
    Column("quarantine_rows", BigInteger, nullable=False),
)

usage = Table(
    "usage",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # UTC
    Column("bytes", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)

shard_leases = Table(  # which ingest worker serves which shard (cloud.shards)
    "shard_leases",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("worker", Text, nullable=False),
    Column("term", BigInteger, nullable=False),  # grows with each change of hands
    Column("until_utc", Text, nullable=False),  # by the database's clock; "" when given up
)

ingest_workers = Table(
    "ingest_workers",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("until_utc", Text, nullable=False),  # alive until then, unless it says so again
)

api = add_api_tables(metadata)
webhooks = add_webhook_tables(metadata)

inbox_tables = add_tables(metadata)  # what ingest has received; never read by the page
