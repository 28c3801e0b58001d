"""Tables of orders to branches, their receipts, holds, and audio that was deleted on purpose."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from cloud.store.metadata import metadata

orders = Table(  # cloud.orders.rules
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("n", BigInteger),  # its number at the box; None: not sent yet
    Column("kind", Text, nullable=False),
    Column("call_id", Text),
    Column("days", Text, nullable=False),  # JSON: per class of calls
    Column("reason", Text, nullable=False),
    Column("by_id", Text, nullable=False),
    Column("by_name", Text, nullable=False),
    Column("ordered_utc", Text, nullable=False),
    Column("decided_by", Text, nullable=False, server_default=""),  # who approved, declined or withdrew it
    Column("decided_utc", Text),
    Column("remark", Text, nullable=False, server_default=""),  # why it was declined
    Column("state", Text, nullable=False),  # a key of cloud.orders.rules.STATES
    Column("code", Text, nullable=False, server_default=""),  # what the box said of it
    Column("owed", Boolean, nullable=False),  # the box is to get it (again)
    Column("sent_utc", Text),
    Column("taken_utc", Text),
    Column("answered_utc", Text),
    Column("signed", Text, nullable=False, server_default=""),  # what the receipt's signature is worth
    Index("orders_owed", "box_id", "id", sqlite_where=text("owed"), postgresql_where=text("owed")),
    Index("orders_by_number", "box_id", "n"),
    Index("orders_by_state", "state", "id"),
    Index("orders_by_call", "call_id"),
)

order_receipts = Table(  # sync.events.OrderAnswered, as it came; a box that was restored answers again
    "order_receipts",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("answered_utc", Text, nullable=False),
    Column("received_utc", Text, nullable=False),
    Column("signed", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON
    Index("order_receipts_by_order", "order_id"),
)

order_heads = Table(  # up to which number each box has its orders, as it said last
    "order_heads",
    metadata,
    Column("box_id", Text, primary_key=True),
    Column("upto", BigInteger, nullable=False),
    Column("said_utc", Text, nullable=False),
)

call_holds = Table(  # legal holds of head office; they count here from the order on
    "call_holds",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("box_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by_name", Text, nullable=False),
    Column("since_utc", Text, nullable=False),
    Column("until_utc", Text),  # None while it holds
    Index("call_holds_by_call", "call_id", "until_utc"),
)

audio_deletions = Table(  # tombstones: recordings whose audio went from here by order or by age
    "audio_deletions",
    metadata,
    Column("recording_id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("box_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the file that was here; "": none was
    Column("size_bytes", BigInteger, nullable=False),
    Column("why", Text, nullable=False),  # ordered | age
    Column("order_id", Text),
    Column("at_utc", Text, nullable=False),
    Column("gone_utc", Text),  # None: the object is still to be removed
    Index(
        "audio_deletions_waiting",
        "recording_id",
        sqlite_where=text("gone_utc IS NULL"),
        postgresql_where=text("gone_utc IS NULL"),
    ),
)

call_deletions = Table(  # calls that were deleted by order: nothing here says any more who spoke
    "call_deletions",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("at_utc", Text, nullable=False),
    Column("swept_utc", Text),  # when what its branch had sent was erased as well; None: it still is to be
    Index(
        "call_deletions_waiting",
        "call_id",
        sqlite_where=text("swept_utc IS NULL"),
        postgresql_where=text("swept_utc IS NULL"),
    ),
)

kept_days = Table(  # how long head office keeps audio itself, per class of calls
    "kept_days",
    metadata,
    Column("calls", Text, primary_key=True),
    Column("days", Integer, nullable=False),  # 0: for ever
    Column("set_by", Text, nullable=False),
    Column("set_utc", Text, nullable=False),
)
