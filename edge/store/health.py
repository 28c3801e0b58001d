"""Health: what is missing, as states with a start and an end; one open row per part while it lasts."""

from __future__ import annotations

import sqlite3


def begin_trouble(db: sqlite3.Connection, part: str, detail: str, now_utc: str) -> None:
    """`part` is lost since now; while it is, only a new detail changes the row. Inside `sync.db.write`."""
    changed = db.execute("UPDATE health SET detail = ? WHERE part = ? AND until_utc IS NULL", (detail, part))
    if changed.rowcount == 0:
        db.execute(
            "INSERT INTO health (part, state, since_utc, detail) VALUES (?, 'lost', ?, ?)",
            (part, now_utc, detail),
        )


def end_trouble(db: sqlite3.Connection, part: str, now_utc: str) -> None:
    """`part` is well again. Inside `sync.db.write`."""
    db.execute("UPDATE health SET until_utc = ? WHERE part = ? AND until_utc IS NULL", (now_utc, part))


def tell_trouble(db: sqlite3.Connection, part: str, says: str, now_utc: str) -> None:
    """`part` is lost as `says` has it; "" is well again. Inside `sync.db.write`."""
    if says:
        begin_trouble(db, part, says, now_utc)
    else:
        end_trouble(db, part, now_utc)


def open_troubles(db: sqlite3.Connection, words: tuple[str, ...]) -> dict[str, str]:
    """part -> detail of all that is lost now whose part begins with one of `words` (before a colon)."""
    rows = db.execute("SELECT part, detail FROM health WHERE until_utc IS NULL")
    return {row["part"]: row["detail"] for row in rows if row["part"].partition(":")[0] in words}
