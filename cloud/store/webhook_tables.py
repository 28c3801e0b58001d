"""The tables of webhooks: who wants to be told of what, and what they are still to be told."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

WAITING = text("state = 'waiting'")


@dataclass(frozen=True, slots=True)
class WebhookTables:
    """The tables `cloud.store.webhooks` works with."""

    hooks: Table
    deliveries: Table
    happenings: Table


def add_tables(metadata: MetaData) -> WebhookTables:
    """Define the tables in `metadata`."""
    hooks = Table(
        "webhooks",
        metadata,
        Column("id", Text, primary_key=True),
        Column("owner_id", Text, ForeignKey("users.id"), nullable=False),  # sees what this person may see
        Column("url", Text, nullable=False),
        Column("kinds", Text, nullable=False),  # JSON list of cloud.webhooks.events.KINDS
        Column("secret", LargeBinary, nullable=False),  # sealed (cloud.field_keys)
        Column("created_utc", Text, nullable=False),
        Column("ended_utc", Text),  # None: it is served
        Column("ended_why", Text, nullable=False),
        Column("key_id", Text, nullable=False, server_default=""),  # the secret is sealed with
    )
    deliveries = Table(  # one row for each hook and happening, written with what happened
        "webhook_deliveries",
        metadata,
        Column("id", Text, primary_key=True),
        Column("hook_id", Text, ForeignKey("webhooks.id"), nullable=False),
        Column("kind", Text, nullable=False),
        Column("object_id", Text, nullable=False),
        Column("at_utc", Text, nullable=False),
        Column("state", Text, nullable=False),  # cloud.webhooks.attempts.State
        Column("due_utc", Text, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("status", Integer, nullable=False),  # of the last try; 0: no answer
        Column("fault", Text, nullable=False),
        Index("webhook_deliveries_due", "due_utc", "id", sqlite_where=WAITING, postgresql_where=WAITING),
        Index("webhook_deliveries_by_hook", "hook_id", "id"),
    )
    happenings = Table(  # a row for each run of things of one kind (cloud.store.happenings)
        "happenings",
        metadata,
        Column("no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("xact", BigInteger, nullable=False),  # the transaction's id; 0 on SQLite, which has one writer
        Column("kind", Text, nullable=False),  # cloud.webhooks.kinds
        Column("at_utc", Text, nullable=False),
        Column("object_ids", Text, nullable=False),  # JSON list
        Index("happenings_in_order", "xact", "no"),
        Index("happenings_by_time", "at_utc"),
        sqlite_autoincrement=True,  # a number that was forgotten is not given again
    )
    return WebhookTables(hooks, deliveries, happenings)
