"""The tables of the inbox: where each stream stands, what came, what was set aside, which audio comes.

Head office defines them in its own MetaData, so that its migrations know them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text


@dataclass(frozen=True, slots=True)
class InboxTables:
    """The tables of this module, made for one MetaData."""

    streams: Table
    inbox: Table
    quarantine: Table
    transfers: Table


def add_tables(metadata: MetaData) -> InboxTables:
    """Define the inbox tables in `metadata`."""
    streams = Table(
        "inbox_streams",
        metadata,
        Column("box_id", Text, primary_key=True),
        Column("epoch", Text, primary_key=True),  # another one after the box's database was made anew
        Column("stream", Text, primary_key=True),
        Column("upto", BigInteger, nullable=False),  # every entry up to here is in
        Column("head", Text, nullable=False),  # chain value after upto
        Column("ranges", Text, nullable=False),  # JSON [[first, last], ...] beyond a hole
        Column("broken_seq", BigInteger),  # first entry whose chain value did not join
        Column("broken_utc", Text),
        Column("updated_utc", Text, nullable=False),
    )
    inbox = Table(
        "inbox",
        metadata,
        Column("eid", Text, primary_key=True),  # UUIDv7: makes a repeat harmless; first, so new rows are last
        Column("box_id", Text, primary_key=True),
        Column("epoch", Text, nullable=False),
        Column("stream", Text, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("at_utc", Text, nullable=False),  # the box's clock
        Column("received_utc", Text, nullable=False),
        Column("h", Text, nullable=False),
        Column("code", Text),  # why it is in quarantine; None: applied
        Column("body", LargeBinary, nullable=False),  # as sent, unknown fields included
        Index("inbox_by_seq", "box_id", "epoch", "stream", "seq"),
    )
    return InboxTables(streams, inbox, _quarantine(metadata), _transfers(metadata))


def _quarantine(metadata: MetaData) -> Table:
    return Table(
        "quarantine",
        metadata,
        Column("id", Text, primary_key=True),
        Column("box_id", Text, nullable=False),
        Column("topic", Text, nullable=False),  # stream, or the message's topic if it was not a batch
        Column("eid", Text),
        Column("kind", Text),
        Column("code", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("received_utc", Text, nullable=False),
        Column("state", Text, nullable=False, server_default="waiting"),  # waiting | released | dismissed
        Column("settled_utc", Text),
        Column("settled_by", Text),
        Column("reason", Text),  # why it was dismissed
        Index("quarantine_by_box", "box_id", "received_utc"),
        Index("quarantine_waiting", "state", "box_id"),
    )


def _transfers(metadata: MetaData) -> Table:
    return Table(
        "transfers",
        metadata,
        Column("recording_id", Text, primary_key=True),
        Column("box_id", Text, primary_key=True),
        Column("size_bytes", BigInteger, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("state", Text, nullable=False),  # growing (no size, no hash yet) | open | stored | refused
        Column("failures", Integer, nullable=False),  # times the whole file did not match its hash
        Column("opened_utc", Text, nullable=False),
        Column("done_utc", Text),
    )
