"""The tables of the API: its tokens, and the answers kept for requests that are sent twice."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text


@dataclass(frozen=True, slots=True)
class ApiTables:
    """The tables of `cloud.store.tokens` and `cloud.store.answered`."""

    tokens: Table
    answered: Table


def add_tables(metadata: MetaData) -> ApiTables:
    """Define the tables in `metadata`."""
    tokens = Table(
        "api_tokens",
        metadata,
        Column("id", Text, primary_key=True),
        Column("owner_id", Text, ForeignKey("users.id"), nullable=False),
        Column("name", Text, nullable=False),  # what it is for
        Column("sha256", Text, nullable=False, unique=True),  # the token itself is kept nowhere
        Column("rights", Text, nullable=False),  # JSON list: of the owner's rights, these and no others
        Column("purpose", Text, nullable=False),
        Column("created_utc", Text, nullable=False),
        Column("expires_utc", Text, nullable=False),
        Column("last_used_utc", Text),
        Column("revoked_utc", Text),
        Index("api_tokens_by_owner", "owner_id", "id"),
    )
    answered = Table(  # POSTs with an Idempotency-Key, and what they were answered
        "answered_requests",
        metadata,
        Column("owner_id", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("asked", Text, nullable=False),  # SHA-256 of method, path and body
        Column("status", Integer, nullable=False),  # 0: it is being worked on
        Column("headers", Text, nullable=False),  # JSON object
        Column("body", LargeBinary, nullable=False),  # sealed (cloud.field_keys)
        Column("at_utc", Text, nullable=False),
        Column("worker", Text, nullable=False, server_default=""),  # trace id of the request that works on it
        Column("until_utc", Text, nullable=False, server_default=""),  # then it is taken for dead
        Column("done_id", Text),  # written with the deed: what it was done to; None: nothing was done yet
        Index("answered_requests_by_time", "at_utc"),
    )
    return ApiTables(tokens, answered)
