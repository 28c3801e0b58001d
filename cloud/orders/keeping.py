"""Head office's own copies of audio: objects that no recording has any more are removed.

The tombstone is committed before; an object that cannot be removed now is tried again.
"""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from cloud.objects import ObjectError, Objects
from cloud.store import deletions
from cloud.store.database import read, write

BATCH = 200
log = logging.getLogger(__name__)


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
