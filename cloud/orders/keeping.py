"""Head office's own copies of audio: what was kept long enough goes, and objects nothing needs are removed.

The tombstone is committed before; an object that cannot be removed now is tried again.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Engine

from cloud.objects import ObjectError, Objects
from cloud.store import deletions, kept_days
from cloud.store.database import read, write

BATCH = 200
log = logging.getLogger(__name__)


def let_go(engine: Engine, now: datetime) -> int:
    """Bury audio that has been kept as long as the rules say; how many recordings."""
    gone = 0
    while True:
        with write(engine) as db:
            some = kept_days.let_go(db, now, BATCH)
        gone += some
        if some < BATCH:
            return gone


def remove_objects(engine: Engine, objects: Objects, now_utc: str) -> int:
    """Remove what tombstones name, as far as nothing that is kept has the same content; how many went."""
    with read(engine) as db:
        tombs = deletions.waiting(db, BATCH)
    gone = 0
    for tomb in tombs:
        try:
            with write(engine) as db:
                gone += deletions.remove_object(db, objects, tomb, now_utc)
        except (ObjectError, OSError) as error:
            log.warning("the audio of recording %s cannot be removed now: %s", tomb["recording_id"], error)
    return gone
