"""The table of identity checks, and in time of other proofs that a subscriber is who they say."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from cloud.store.metadata import metadata

identity_checks = Table(
    "identity_checks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),  # who checked
    Column("user_name", Text, nullable=False),
    Column("session", Text, nullable=False),  # cloud.access.guard.Person.session
    Column("channel", Text, nullable=False),
    Column("numbers", Text, nullable=False),  # cloud.access.subjects, spaces between
    Column("document", Text, nullable=False),  # a key of cloud.access.identity.DOCUMENTS
    Column("last4", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # cloud.access.identity.Outcome
    Column("checked_utc", Text, nullable=False),
    Column("ends_utc", Text, nullable=False),  # checked_utc itself when it differs
    Index("identity_checks_by_session", "session", "ends_utc"),
    Index("identity_checks_by_user", "user_id", "checked_utc"),
)
