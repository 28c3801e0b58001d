"""Monthly parts of the big tables on PostgreSQL, made ahead by ingest itself; SQLite has none.

Rows are placed by the time their UUIDv7 begins with, so no other column joins the key. What belongs to no
month that exists (a box whose clock is far off, a backlog of last year) waits in `<table>_rest` and moves
when its month is made.

    calls --+-- calls_2026_10    ids from 0195... to 0196...
            +-- calls_2026_11
            +-- calls_2026_12    ahead
            +-- calls_rest       everything else
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from cloud.store.database import write

PARTITIONED = {"calls": "id", "recordings": "id", "inbox": "eid"}  # table -> its UUIDv7
AHEAD = 2  # months beyond this one
FIRST = datetime(2024, 1, 1, tzinfo=UTC)  # no box recorded before
LOCK_WAIT_MS = 2000  # making a month locks its table for a moment; rather later than holding up ingest
_LOCK = 0x6272_7061

# The month of each UUIDv7 among the rows of <table>_rest; other keys stay there for good.
_WAITING = """
SELECT DISTINCT date_trunc('month', to_timestamp(
    CASE WHEN {key} ~ '^[0-9a-f]{{8}}-[0-9a-f]{{4}}-7'
    THEN ('x' || substr({key}, 1, 8) || substr({key}, 10, 4))::bit(48)::bigint / 1000.0 END
) AT TIME ZONE 'UTC') FROM {table}_rest
"""


def keep_ahead(engine: Engine, now: datetime) -> list[str]:
    """Make the months that are missing, last month to AHEAD months on; returns the names of the new parts."""
    if engine.dialect.name != "postgresql":
        return []
    with write(engine) as db:
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        return [
            make_month(db, table, key, month)
            for table, key in PARTITIONED.items()
            for month in sorted(_wanted(db, table, key, now) - _there(db, table))
        ]


def month_after(month: datetime, count: int = 1) -> datetime:
    """The first moment of the month `count` months later, or earlier."""
    number = month.year * 12 + month.month - 1 + count
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def first_id(moment: datetime) -> str:
    """The smallest UUID text a UUIDv7 of `moment` or later can have."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def _wanted(db: Connection, table: str, key: str, now: datetime) -> set[datetime]:
    ahead = {month_after(now, count) for count in range(-1, AHEAD + 1)}
    found = db.exec_driver_sql(_WAITING.format(table=table, key=key)).scalars()
    waiting = {moment.replace(tzinfo=UTC) for moment in found if moment is not None}
    return ahead | {month for month in waiting if FIRST <= month <= max(ahead)}


def _there(db: Connection, table: str) -> set[datetime]:
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:t AS regclass)")
    names = db.execute(query, {"t": table}).scalars()
    return {
        datetime.strptime(name[len(table) :], "_%Y_%m").replace(tzinfo=UTC)
        for name in names
        if not name.endswith("_rest")
    }


def make_month(db: Connection, table: str, key: str, month: datetime) -> str:
    """Make the part of `table` for a month (its first moment) and move there what waits for it; its name."""
    name = f"{table}_{month:%Y_%m}"
    first, end = first_id(month), first_id(month_after(month))
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"WITH moved AS (DELETE FROM {table}_rest WHERE {key} >= '{first}' AND {key} < '{end}' RETURNING *)"
        f" INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')",
    ):
        db.exec_driver_sql(statement)
    return name
