"""What the branch allows the uploads of audio: the cap by the time of day, the month, the pause."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from edge.config import Config
from edge.schedule import read_schedule
from edge.store.schema import open_store
from sync.db import write
from sync.moment import to_text
from sync.outbox import waiting
from sync.uploads import month_bytes, pause, pause_of, resume

BITS = 8 / 1000  # kbit in a byte


def cap_at(config: Config) -> Callable[[datetime], float]:
    """Bytes a second that may be sent at a local time; 0 is no cap. The first window that fits counts."""
    windows = [(read_schedule(one.when), one.cap_kbit_s / BITS) for one in config.upload_windows]
    usual = config.upload.cap_kbit_s / BITS

    def cap(local: datetime) -> float:
        return next((bytes_per_s for when, bytes_per_s in windows if when.is_on(local)), usual)

    return cap


def run_upload(config: Config, ask: str, by: str, now: datetime) -> str:
    """Pause, resume or only show (`ask`) the uploads; how they stand, in a few lines."""
    db = open_store(config.database)
    try:
        with write(db):
            if ask == "pause":
                pause(db, by, to_text(now))
            elif ask == "resume":
                resume(db)
        stopped, owed = pause_of(db), waiting(db)
        used = month_bytes(db, f"{now:%Y-%m}")
    finally:
        db.close()
    kbit_s = cap_at(config)(now) * BITS
    state = f"paused by {stopped.by} since {stopped.since_utc}" if stopped else "running"
    limit = config.upload.month_gb
    return "\n".join(
        [
            f"uploads: {state}",
            f"cap now: {kbit_s:g} kbit/s" if kbit_s else "cap now: none",
            f"this month: {used / 1e9:.2f} of {limit:g} GB" if limit else "this month: no limit",
            f"waiting: {owed.files} recordings, {owed.bytes / 1e6:.1f} MB; {owed.entries} entries",
        ]
    )
