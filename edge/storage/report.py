"""What `edge storage` answers: how full the disk is, what is kept, what the rules would delete now."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from edge.config import Config
from edge.storage.keeper import MB, look_at
from edge.storage.ladder import hours_until_full
from edge.storage.policy import preview, readable
from edge.storage.survey import Question, doomed, survey
from edge.store.retention import last_backup, lift_hold, place_hold
from edge.store.schema import open_store
from sync.db import write


def preview_rules(config: Config, now_utc: str) -> str:
    """`this would delete the audio of 312 calls: ...`; nothing is touched."""
    with closing(open_store(config.database)) as db:
        return str(preview(doomed(db, _question(config, now_utc))))


def show_storage(config: Config, now_utc: str) -> str:
    """A line each for the disk, the audio, what is due, the last backup."""
    found = survey(_question(config, now_utc))
    space = look_at(config.recordings_dir, config.storage.reserve_mb * MB)
    hours = hours_until_full(space, found.removable_bytes, found.last_day_bytes)
    with closing(open_store(config.database)) as db:
        last = last_backup(db)
        lines = [
            f"disk     {space.used_percent:.0f} % full, {readable(space.audio_free_bytes)} free for audio",
            f"audio    {_audio_line(db)}",
            f"due      {len(found.delete)} to be deleted, {len(found.pack)} to be packed to Opus",
            "rate     nothing was recorded in the last day"
            if hours is None
            else f"rate     {readable(found.last_day_bytes)} in the last day: room for {hours:.0f} hours",
            f"backup   {last.at_utc}, {last.recordings} recordings, in {last.folder}"
            if last
            else "backup   none",
        ]
    return "\n".join(lines)


def hold_call(config: Config, call_id: str, reason: str, user: str, now_utc: str) -> str:
    """Place a legal hold; ValueError says why not."""
    with closing(open_store(config.database)) as db, write(db):
        place_hold(db, call_id, reason, user, now_utc)
    return f"call {call_id} is on hold: its audio stays as it is until `--lift {call_id}`"


def lift_call(config: Config, call_id: str, user: str, now_utc: str) -> str:
    """End a legal hold; ValueError when there is none."""
    with closing(open_store(config.database)) as db, write(db):
        lift_hold(db, call_id, user, now_utc)
    return f"call {call_id} is no longer on hold"


def _audio_line(db: sqlite3.Connection) -> str:
    rows = db.execute(
        "SELECT codec, count(*), sum(size_bytes) FROM recordings WHERE state = 'ready' GROUP BY codec"
    ).fetchall()
    (held,) = db.execute("SELECT count(*) FROM holds WHERE lifted_utc IS NULL").fetchone()
    (deleted,) = db.execute("SELECT count(*) FROM recordings WHERE state = 'deleted'").fetchone()
    kinds = ", ".join(f"{row[1]} {row[0]} ({readable(row[2])})" for row in rows) or "none"
    return f"{kinds}; {held} calls on hold; {deleted} recordings deleted, their rows kept"


def _question(config: Config, now_utc: str) -> Question:
    return Question(config.database, config.keep, not config.head_office.host, True, now_utc)
