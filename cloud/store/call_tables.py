"""The tables about calls that head office itself fills: how they are found, and what people say of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from cloud.store.metadata import metadata

call_facets = Table(  # which facets the calls of a box have
    "call_facets",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("facet", Integer, primary_key=True, autoincrement=False),
    Index("call_facets_by_facet", "facet"),
)

call_flags = Table(  # what people put on calls, and what is to be found by it; each is few among all calls
    "call_flags",
    metadata,
    Column("flag", Text, primary_key=True),  # cloud.calls.flags
    Column("started_utc", Text, primary_key=True),  # of the call
    Column("call_id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("facet", Integer, nullable=False, server_default="0"),  # of the call, by a trigger
    Column("duration_ms", BigInteger, nullable=False, server_default="0"),  # the same
    Index("call_flags_by_call", "call_id"),
)

call_notes = Table(  # what people wrote on calls, each version a row; only ever added to
    "call_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("call_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("by_id", Text, nullable=False),
    Column("by_name", Text, nullable=False),  # as it was then
    Column("at_utc", Text, nullable=False),
    Index("call_notes_by_call", "call_id", "id", "version"),
)

call_reports = Table(  # that the record of a call is wrong (cloud.calls.reports)
    "call_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("box_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("by_id", Text, nullable=False),
    Column("by_name", Text, nullable=False),
    Column("at_utc", Text, nullable=False),
    Column("assigned_to", Text),  # who looks into it, by name
    Column("changed_utc", Text, nullable=False),
    Index("call_reports_by_state", "state", "changed_utc", "id"),
    Index("call_reports_by_call", "call_id"),
)

call_report_steps = Table(  # what became of a report, step by step
    "call_report_steps",
    metadata,
    Column("report_id", Text, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("step", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("by_name", Text, nullable=False),
    Column("at_utc", Text, nullable=False),
)

signing_keys = Table(  # with which head office signs what it gives out and gets back
    "signing_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

reported_calls = Table(  # of another telephone system, while they go on
    "reported_calls",
    metadata,
    Column("source", Text, primary_key=True),  # whose they are: SOURCE of cloud.web.cti and the user's id
    Column("call_id", Text, primary_key=True),  # that system's
    Column("direction", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("started_utc", Text, nullable=False),
    Column("answered_utc", Text),
    Index("reported_calls_by_start", "started_utc"),
)
