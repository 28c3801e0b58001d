"""The tables about calls that head office itself fills: how they are found, and what people say of them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

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
    Index("call_flags_by_call", "call_id"),
)

signing_keys = Table(  # with which head office signs what it gives out and gets back
    "signing_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)
